import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';

export type CallerTransport = 'UDP' | 'TCP' | 'TLS';

/**
 * A caller that speaks SIP as text and keeps no rules of its own: it sends what the test says, over UDP or one TCP
 * or TLS connection, and hands out what comes, in order.
 */
export interface SipCaller {
  readonly transport: CallerTransport;
  /** `127.0.0.1:port` of its own. */
  readonly address: string;
  send(text: string): void;
  /**
   * The next message whose start line begins so: `SIP/2.0 200`, `BYE`. What came before it is dropped, but kept in `seen`.
   * @throws Error when none comes within `ms`
   */
  next(start: string, ms?: number): Promise<string>;
  /** All that came, oldest first. */
  readonly seen: readonly string[];
  close(): Promise<void>;
}

/** @param tls for TLS: whom to trust, and what to show */
export async function openCaller(
  transport: CallerTransport,
  port: number,
  host = '127.0.0.1',
  tls: ConnectionOptions = {},
): Promise<SipCaller> {
  const inbox = new Inbox();
  if (transport === 'UDP') return openUdp(inbox, port, host);
  return openStream(inbox, transport, { port, host, ...tls });
}

async function openUdp(inbox: Inbox, port: number, host: string): Promise<SipCaller> {
  const socket = createSocket('udp4');
  socket.on('message', (bytes) => inbox.put(bytes.toString()));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    transport: 'UDP',
    address: `127.0.0.1:${socket.address().port}`,
    send: (text) => socket.send(text, port, host),
    next: (start, ms) => inbox.next(start, ms),
    seen: inbox.seen,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

async function openStream(
  inbox: Inbox,
  transport: 'TCP' | 'TLS',
  options: ConnectionOptions & { port: number; host: string },
): Promise<SipCaller> {
  const socket = transport === 'TCP' ? connect(options) : connectTls(options);
  await once(socket, transport === 'TCP' ? 'connect' : 'secureConnect');
  readInto(inbox, socket);
  return {
    ...overStream(inbox, () => socket),
    transport,
    address: `127.0.0.1:${socket.localPort}`,
    close: () => closed(socket),
  };
}

/** A peer that is called over TCP: it waits for one connection, and sends by that. */
export async function openTcpCallee(): Promise<SipCaller> {
  const inbox = new Inbox();
  let socket: Socket | undefined;
  const server = createServer((connection) => {
    socket = connection;
    readInto(inbox, connection);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    ...overStream(inbox, () => socket),
    transport: 'TCP',
    address: `127.0.0.1:${port}`,
    close: async () => {
      server.close();
      if (socket !== undefined) await closed(socket);
    },
  };
}

const overStream = (inbox: Inbox, socket: () => Socket | undefined) => ({
  send: (text: string): void => void socket()?.write(text),
  next: (start: string, ms?: number) => inbox.next(start, ms),
  seen: inbox.seen,
});

function readInto(inbox: Inbox, socket: Socket): void {
  let pending = '';
  socket.on('error', () => {});
  socket.on('data', (bytes: Buffer) => {
    pending += bytes.toString('latin1');
    for (let end = messageEnd(pending); end !== undefined; end = messageEnd(pending)) {
      inbox.put(Buffer.from(pending.slice(0, end), 'latin1').toString());
      pending = pending.slice(end);
    }
  });
}

async function closed(socket: Socket): Promise<void> {
  socket.destroy();
  if (!socket.closed) await once(socket, 'close');
}

/** Where the first message of a stream ends, or undefined while it is not complete. */
function messageEnd(text: string): number | undefined {
  const blank = text.indexOf('\r\n\r\n');
  if (blank === -1) return undefined;
  const length = Number(/\r\nContent-Length: *(\d+)/i.exec(text.slice(0, blank))?.[1] ?? 0);
  const end = blank + 4 + length;
  return end <= text.length ? end : undefined;
}

class Inbox {
  readonly seen: string[] = [];
  #at = 0;
  #waiting: { start: string; resolve(message: string): void } | undefined;

  put(message: string): void {
    this.seen.push(message);
    this.#look();
  }

  next(start: string, ms = 5_000): Promise<string> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting = undefined;
        const got = this.seen.map((message) => message.split('\r\n')[0]);
        reject(new Error(`no ${start} within ${ms} ms; got ${JSON.stringify(got)}`));
      }, ms);
      const found = (message: string): void => {
        clearTimeout(timer);
        resolve(message);
      };
      this.#waiting = { start, resolve: found };
      this.#look();
    });
  }

  #look(): void {
    while (this.#waiting !== undefined && this.#at < this.seen.length) {
      const message = this.seen[this.#at]!;
      this.#at += 1;
      if (!message.startsWith(this.#waiting.start)) continue;
      const { resolve } = this.#waiting;
      this.#waiting = undefined;
      resolve(message);
    }
  }
}

/** The value of a header in SIP text. */
export const headerIn = (message: string, name: string): string =>
  new RegExp(`^${name} *: *(.*)$`, 'im').exec(message)?.[1]?.trim() ?? '';

/** The body of SIP text. */
export const bodyOf = (message: string): string => message.slice(message.indexOf('\r\n\r\n') + 4);

/** All values of a header in SIP text, one of each line. */
export const headersIn = (message: string, name: string): string[] =>
  [...message.matchAll(new RegExp(`^${name} *: *(.*)\\r$`, 'gim'))].map(([, value = '']) => value.trim());

/**
 * The response that a caller gives to a request that it got.
 * @param tag of To, where the request has none
 * @param extra whole header lines
 */
export function answerTo(
  request: string,
  status: string,
  contact: string,
  body = '',
  { tag = '', extra = [] as readonly string[] } = {},
): string {
  const tagged = (to: string): string => (tag === '' || to.includes(';tag=') ? to : `${to};tag=${tag}`);
  const copied = ['Via', 'Record-Route', 'From', 'To', 'Call-ID', 'CSeq'].flatMap((name) =>
    headersIn(request, name).map((value) => `${name}: ${name === 'To' ? tagged(value) : value}`),
  );
  const type = body === '' ? [] : ['Content-Type: application/sdp'];
  const lines = [
    `SIP/2.0 ${status}`,
    ...copied,
    `Contact: <sip:${contact}>`,
    ...extra,
    ...type,
    `Content-Length: ${body.length}`,
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}
