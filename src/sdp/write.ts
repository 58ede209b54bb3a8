import { write } from 'sdp-transform';
import type { CodecName } from '../config/codecs.ts';
import { familyOf } from './address.ts';
import { forms } from './codecs.ts';
import type { Crypto } from './crypto.ts';
import type { Direction, MediaLine } from './parse.ts';

/** Our SDP. c= stands at the session level and serves every line. Source: RFC 8866, RFC 3264; decisions §5. */

/** The audio line that we use. */
export interface LocalAudio {
  port: number;
  codecs: readonly { name: CodecName; payloadType: number }[];
  /** telephone-event, once per clock rate. */
  telephoneEvents: readonly { payloadType: number; clockRate: number }[];
  ptimeMs: number;
  direction: Direction;
  rtcpMux: boolean;
  /** Our keys: the one that answers, or all that are offered; empty on a plain line. */
  crypto: readonly Crypto[];
}

/** One m= line of ours; one without `audio` is refused with port 0, its protocol and formats echoed. */
export interface LocalLine {
  kind: string;
  protocol: string;
  formats: string;
  audio: LocalAudio | null;
}

export interface LocalDescription {
  sessionId: string;
  version: number;
  /** Address of o=, the same for the whole dialog (RFC 3264 §8). */
  originAddress: string;
  /** Address of c=. */
  address: string;
  timing: { start: number; stop: number };
  lines: readonly LocalLine[];
}

export function refusedLine({ kind, protocol, formats }: MediaLine): LocalLine {
  return { kind, protocol, formats, audio: null };
}

export function audioLine(protocol: string, audio: LocalAudio): LocalLine {
  const types = [...audio.codecs, ...audio.telephoneEvents].map((each) => each.payloadType);
  return { kind: 'audio', protocol, formats: types.join(' '), audio };
}

export function writeSdp(description: LocalDescription): string {
  const { sessionId, version, originAddress, address, timing, lines } = description;
  return write({
    version: 0,
    origin: {
      username: '-',
      sessionId,
      sessionVersion: version,
      netType: 'IN',
      ipVer: familyOf(originAddress),
      address: originAddress,
    },
    name: '-',
    connection: { version: familyOf(address), ip: address },
    timing,
    media: lines.map((line) => ({
      type: line.kind,
      port: line.audio?.port ?? 0,
      protocol: line.protocol,
      payloads: line.formats,
      ...(line.audio ? attributes(line.audio) : { rtp: [], fmtp: [] }),
    })),
  });
}

function attributes(audio: LocalAudio) {
  const codecs = audio.codecs.map(({ name, payloadType: payload }) => {
    const { clockRate: rate, channels } = forms[name];
    return { payload, codec: name, rate, ...(channels > 1 && { encoding: channels }) };
  });
  const events = audio.telephoneEvents.map(({ payloadType: payload, clockRate: rate }) => ({
    payload,
    codec: 'telephone-event',
    rate,
  }));
  const parameters = audio.codecs.flatMap(({ name, payloadType: payload }) => {
    const { fmtp: config } = forms[name];
    return config === undefined ? [] : [{ payload, config }];
  });
  return {
    rtp: [...codecs, ...events],
    fmtp: [...parameters, ...events.map(({ payload }) => ({ payload, config: '0-15' }))],
    ptime: audio.ptimeMs,
    direction: audio.direction,
    crypto: audio.crypto.map(({ tag, suite, key }) => ({ id: tag, suite, config: `inline:${key}` })),
    ...(audio.rtcpMux ? { rtcpMux: 'rtcp-mux' as const } : {}),
  };
}
