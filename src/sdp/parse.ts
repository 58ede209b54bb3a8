import { type MediaDescription, parse as parseLines, type SessionDescription } from 'sdp-transform';
import { Refusal } from '../errors.ts';

/**
 * A peer's SDP as a typed view. The structure (line form, m= lines, sizes) is checked here, because sdp-transform
 * silently drops what it does not understand; the values of the attributes come from sdp-transform.
 * Source: RFC 8866, RFC 3264; decisions §5.
 */

export type Direction = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

/** One RTP payload type of an m= line, in the line's order. `name` is in upper case. */
export interface Payload {
  type: number;
  name: string;
  clockRate: number;
  channels: number;
  /** Its a=fmtp, empty when absent. */
  fmtp: string;
}

/** One m= line with what applies to it, be it said at the media or at the session level. */
export interface MediaLine {
  kind: string;
  port: number;
  /** The `/2` of `m=audio 5004/2`, else 1. */
  portCount: number;
  protocol: string;
  /** The formats as written, for the echo of a refused line. */
  formats: string;
  /** Empty for lines other than RTP audio. */
  payloads: Payload[];
  /** The c= that applies, not yet checked: the line may never be used. */
  connection: { version: string; address: string } | null;
  direction: Direction;
  /** a=rtcp (RFC 3605), not yet checked; `address` is null when it gives a port only. */
  rtcp: { port: number; version: string; address: string | null } | null;
  rtcpMux: boolean;
  /** a=maxptime in ms, null when absent or nonsense. */
  maxptimeMs: number | null;
  /** The values of its a=crypto (RFC 4568), not yet checked; they hold keys. */
  crypto: readonly string[];
}

export interface RemoteDescription {
  media: MediaLine[];
  timing: { start: number; stop: number };
}

const MAX_SDP_BYTES = 16_384;
const MAX_MEDIA_LINES = 16;
const MAX_PAYLOAD_TYPES = 64;
const MAX_CRYPTO_LINES = 32;

/** Static payload types of RFC 3551 that need no rtpmap; of the rest only the number is known. */
const STATIC_PAYLOADS: ReadonlyMap<number, string> = new Map([
  [0, 'PCMU'],
  [3, 'GSM'],
  [4, 'G723'],
  [8, 'PCMA'],
  [9, 'G722'],
  [13, 'CN'],
  [15, 'G728'],
  [18, 'G729'],
]);

/**
 * Reads an offer or an answer.
 * @throws Refusal `sdp_invalid` that says which line was wrong and what is allowed
 */
export function parseSdp(text: string): RemoteDescription {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_SDP_BYTES) throw invalid(`${bytes} bytes; at most ${MAX_SDP_BYTES} are taken`);
  const mediaLines = checkStructure(text);
  const parsed = parseLines(text);
  return {
    media: mediaLines.map((line, index) => completeLine(line, parsed.media[index]!, parsed)),
    timing: { start: ntpTime(parsed.timing?.start), stop: ntpTime(parsed.timing?.stop) },
  };
}

/** Text of the peer made fit for a header or a log line; a key in it is not shown. */
export function shown(text: string): string {
  const keyless = text.replace(/inline.*/is, 'inline:...');
  return `"${keyless.slice(0, 60).replace(/[^\w.:/ =+-]/g, '?')}"`;
}

export function invalid(detail: string): Refusal {
  return new Refusal('sdp_invalid', detail);
}

type BareLine = Pick<MediaLine, 'kind' | 'port' | 'portCount' | 'protocol' | 'formats'> & {
  crypto: string[];
};

/** Checks the form of every line and returns what the m= lines say, in order. */
function checkStructure(text: string): BareLine[] {
  const lines = text.split(/\r\n|\r|\n/);
  if (lines[0] !== 'v=0') throw invalid(`line 1 is ${shown(lines[0] ?? '')}; it must be v=0`);
  const media: BareLine[] = [];
  lines.forEach((line, index) => {
    const where = `line ${index + 1}`;
    if (line !== '' && !/^[a-z]=/.test(line)) {
      throw invalid(`${where} is ${shown(line)}; it must be a letter, "=" and a value`);
    }
    if (line.startsWith('m=')) media.push(readMediaLine(line.slice(2), where));
    // sdp-transform would drop all but the first session parameter.
    if (line.startsWith('a=crypto:')) media.at(-1)?.crypto.push(line.slice('a=crypto:'.length));
    if (line.startsWith('c=') && !/^c=IN IP[46] \S+\s*$/.test(line)) {
      throw invalid(`${where} is ${shown(line)}; it must be c=IN IP4 or IP6 and an address`);
    }
  });
  if (media.length > MAX_MEDIA_LINES) {
    throw invalid(`${media.length} m= lines; at most ${MAX_MEDIA_LINES} are taken`);
  }
  const keys = Math.max(0, ...media.map(({ crypto }) => crypto.length));
  if (keys > MAX_CRYPTO_LINES) {
    throw invalid(`${keys} a=crypto in one m= line; at most ${MAX_CRYPTO_LINES} are taken`);
  }
  return media;
}

function readMediaLine(value: string, where: string): BareLine {
  const match = /^([\w.+-]+) (\d{1,5})(?:\/(\d{1,5}))? ([\w./+-]+) (\S.*)$/.exec(value.trimEnd());
  if (match === null) {
    throw invalid(
      `${where} is ${shown(`m=${value}`)}; it must be m=, a kind, a port, a protocol and formats`,
    );
  }
  const [, kind = '', port = '', count = '1', protocol = '', formats = ''] = match;
  if (Number(port) > 65_535) throw invalid(`${where} has port ${port}; at most 65535 is allowed`);
  const types = formats.split(/ +/).length;
  if (types > MAX_PAYLOAD_TYPES) {
    throw invalid(`${where} has ${types} formats; at most ${MAX_PAYLOAD_TYPES} are taken`);
  }
  return { kind, port: Number(port), portCount: Number(count), protocol, formats, crypto: [] };
}

function completeLine(line: BareLine, media: MediaDescription, session: SessionDescription): MediaLine {
  const connection = media.connection ?? session.connection;
  const maxptime = Number(media.maxptime);
  return {
    ...line,
    payloads:
      line.kind === 'audio' && line.protocol.includes('RTP/') ? readPayloads(line.formats, media) : [],
    connection: connection ? { version: String(connection.version), address: String(connection.ip) } : null,
    direction: media.direction ?? session.direction ?? 'sendrecv',
    rtcp: readRtcp(media.rtcp),
    rtcpMux: media.rtcpMux !== undefined,
    maxptimeMs: maxptime > 0 ? maxptime : null,
  };
}

function readPayloads(formats: string, media: MediaDescription): Payload[] {
  const named = new Map<number, MediaDescription['rtp'][number]>();
  for (const entry of media.rtp) if (!named.has(entry.payload)) named.set(entry.payload, entry);
  const parameters = new Map(media.fmtp.map(({ payload, config }) => [payload, String(config)]));
  return formats.split(/ +/).map((format) => {
    const type = Number(format);
    if (!/^\d{1,3}$/.test(format) || type > 127) {
      throw invalid(`payload type ${shown(format)} is not a number from 0 to 127`);
    }
    const entry = named.get(type);
    const fmtp = parameters.get(type) ?? '';
    if (entry === undefined) {
      return { type, name: STATIC_PAYLOADS.get(type) ?? '', clockRate: 8000, channels: 1, fmtp };
    }
    return {
      type,
      name: String(entry.codec).toUpperCase(),
      clockRate: Number(entry.rate ?? 0),
      channels: Number(entry.encoding ?? 1),
      fmtp,
    };
  });
}

function readRtcp(rtcp: MediaDescription['rtcp']): MediaLine['rtcp'] {
  if (rtcp === undefined) return null;
  const address = rtcp.address === undefined ? null : String(rtcp.address);
  return { port: Number(rtcp.port), version: String(rtcp.ipVer ?? ''), address };
}

/** t= is mirrored in the answer; what is no number there is as good as 0, "not bounded". */
function ntpTime(value: unknown): number {
  const time = Number(value ?? 0);
  return Number.isSafeInteger(time) ? time : 0;
}
