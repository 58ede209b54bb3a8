import { type Codec, forms } from './phone-codecs.ts';
import { type CryptoLine, cryptoLines } from './srtp.ts';

/** SDP of the test phone (RFC 4566, RFC 3264): one audio line, and as much reading as a test needs. */
export type Direction = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';
const EVENT_PAYLOAD_TYPE = 101;

export interface LocalSdp {
  address: string;
  port: number;
  codecs: readonly Codec[];
  direction: Direction;
  ptimeMs: number;
  /** `o=` session id, and its version: one more with every change. */
  sessionId: number;
  version: number;
  /** Makes it RTP/SAVP. */
  crypto?: CryptoLine | undefined;
}

export function writeSdp(local: LocalSdp): string {
  const family = local.address.includes(':') ? 'IP6' : 'IP4';
  const types = local.codecs.map((codec) => forms[codec].payloadType);
  const lines = [
    'v=0',
    `o=testphone ${local.sessionId} ${local.version} IN ${family} ${local.address}`,
    's=-',
    `c=IN ${family} ${local.address}`,
    't=0 0',
    `m=audio ${local.port} RTP/${local.crypto ? 'SAVP' : 'AVP'} ${[...types, EVENT_PAYLOAD_TYPE].join(' ')}`,
    ...local.codecs.map((codec) => `a=rtpmap:${forms[codec].payloadType} ${forms[codec].rtpmap}`),
    `a=rtpmap:${EVENT_PAYLOAD_TYPE} telephone-event/8000`,
    ...local.codecs.flatMap((codec) => {
      const { payloadType, fmtp } = forms[codec];
      return fmtp ? [`a=fmtp:${payloadType} ${fmtp}`] : [];
    }),
    `a=fmtp:${EVENT_PAYLOAD_TYPE} 0-15`,
    ...(local.crypto
      ? [`a=crypto:${local.crypto.tag} ${local.crypto.suite} inline:${local.crypto.key}`]
      : []),
    `a=ptime:${local.ptimeMs}`,
    `a=${local.direction}`,
  ];
  return `${lines.join('\r\n')}\r\n`;
}

export interface RemoteSdp {
  address: string;
  port: number;
  /** In the order of the m-line. */
  payloadTypes: number[];
  /** Those of them that are ours, and the first. */
  codecs: Codec[];
  codec: Codec | undefined;
  /** Payload type of telephone-event, if any. */
  eventPayloadType: number | undefined;
  direction: Direction;
  ptimeMs: number | undefined;
  /** Its keys, of suites that the phone knows. */
  crypto: CryptoLine[];
  /** The version in `o=`. */
  version: number;
}

const codecOf: ReadonlyMap<number, Codec> = new Map(
  (Object.keys(forms) as Codec[]).map((codec) => [forms[codec].payloadType, codec]),
);

/** Reads the first audio line. @throws Error when there is none */
export function parseSdp(text: string): RemoteSdp {
  const lines = text.split(/\r?\n/);
  const start = lines.findIndex((line) => line.startsWith('m=audio '));
  if (start < 0) throw new Error(`no audio in the SDP: ${JSON.stringify(text.slice(0, 200))}`);
  const next = lines.findIndex((line, i) => i > start && line.startsWith('m='));
  const media = lines.slice(start, next < 0 ? undefined : next);
  const session = lines.slice(
    0,
    lines.findIndex((line) => line.startsWith('m=')),
  );
  const find = (pattern: RegExp): string | undefined => match(media, pattern) ?? match(session, pattern);
  const [, port, , ...types] = lines[start]!.split(' ');
  const payloadTypes = types.map(Number);
  const codecs = payloadTypes.flatMap((type) => codecOf.get(type) ?? []);
  const event = find(/^a=rtpmap:(\d+) telephone-event\/8000/i);
  return {
    address: find(/^c=IN IP[46] ([^\s/]+)/) ?? '',
    port: Number(port?.split('/')[0]),
    payloadTypes,
    codecs,
    codec: codecs[0],
    eventPayloadType: event === undefined ? undefined : Number(event),
    direction: (find(/^a=(sendrecv|sendonly|recvonly|inactive)$/) as Direction | undefined) ?? 'sendrecv',
    ptimeMs: Number(find(/^a=ptime:(\d+)/) ?? Number.NaN) || undefined,
    crypto: cryptoLines(text),
    version: Number(match(session, /^o=\S+ \S+ (\d+)/)),
  };
}

function match(lines: readonly string[], pattern: RegExp): string | undefined {
  for (const line of lines) {
    const found = pattern.exec(line);
    if (found) return found[1];
  }
  return undefined;
}

/** What the answerer says to a direction that was offered. */
export const mirrored: Readonly<Record<Direction, Direction>> = {
  sendrecv: 'sendrecv',
  sendonly: 'recvonly',
  recvonly: 'sendonly',
  inactive: 'inactive',
};
