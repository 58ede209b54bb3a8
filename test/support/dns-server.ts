import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type Answer, decode, encode } from 'dns-packet';

/** A record as `dns-packet` writes it; its types do not know NAPTR. */
export type ServedRecord =
  | Answer
  | {
      type: 'NAPTR';
      name: string;
      ttl?: number;
      data: {
        order: number;
        preference: number;
        flags: string;
        services: string;
        regexp: string;
        replacement: string;
      };
    };

export interface DnsServer {
  /** For `Resolver.setServers`. */
  readonly address: string;
  /** Types and names that were asked for: `SRV _sip._udp.example.com`. */
  readonly asked: string[];
  close(): void;
}

/** A DNS server on 127.0.0.1, over UDP; what is not in its table does not exist. @param port 0 = a free one */
export async function startDnsServer(records: readonly ServedRecord[], port = 0): Promise<DnsServer> {
  const asked: string[] = [];
  const socket = createSocket('udp4');
  socket.on('message', (bytes, from) => {
    const query = decode(bytes);
    const question = query.questions?.[0];
    if (question === undefined) return;
    asked.push(`${question.type} ${question.name}`);
    const ofName = records.filter(({ name }) => name === question.name);
    const answers = ofName.filter(({ type }) => type === question.type) as Answer[];
    const flags = 0x0480 | (ofName.length === 0 ? 3 : 0);
    const reply = encode({ type: 'response', id: query.id ?? 0, flags, questions: [question], answers });
    socket.send(reply, from.port, from.address);
  });
  socket.bind(port, '127.0.0.1');
  await once(socket, 'listening');
  return { address: `127.0.0.1:${socket.address().port}`, asked, close: () => void socket.close() };
}
