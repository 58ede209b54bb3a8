import type { CodecName } from '../config/codecs.ts';
import { Refusal } from '../errors.ts';
import { type SrtpPolicy, type SrtpSettings, srtpSuites } from '../srtp.ts';
import { type Family, type MediaAddress, readAddress } from './address.ts';
import { codecOf } from './codecs.ts';
import { type Crypto, type LocalKeys, suitesOf, usableCrypto } from './crypto.ts';
import { type OpusParameters, readOpusFmtp } from './opus-fmtp.ts';
import { type Direction, invalid, type MediaLine, type Payload, type RemoteDescription } from './parse.ts';

/**
 * Chooses: which audio line of an offer, which codec and keys, and what that means for our side.
 * Source: RFC 3264 §6, RFC 4568 §5.1.2, RFC 4733, RFC 3605, RFC 5761; decisions §5.
 */

export interface MediaPolicy {
  /** The trunk's order of preference; null = every codec, in the offer's order. */
  codecs: readonly CodecName[] | null;
  srtp: SrtpPolicy;
  /** Whether the signalling is TLS: an offer of ours has keys in it only there. */
  tls: boolean;
}

/** What was agreed for one leg; fits the media port's settings. Addresses are numeric. */
export interface NegotiatedMedia {
  codec: CodecName;
  /** What the peer wants of the Opus that we send; absent with other codecs. */
  opus?: OpusParameters;
  payloadType: number;
  /** Comfort noise, which may come though we do not ask for it. */
  comfortNoisePayloadType: number | null;
  /** Key presses: the first is what we send, any may come. Empty: the peer has none. */
  telephoneEvents: { payloadType: number; clockRate: number }[];
  remoteAddress: string;
  remotePort: number;
  /** 0 = nowhere. */
  remoteRtcpPort: number;
  /** Differs from `remoteAddress` only where `a=rtcp` names an address of its own. */
  remoteRtcpAddress: string;
  rtcpMux: boolean;
  /** Our side. */
  direction: Direction;
  held: boolean;
  ptimeMs: number;
  family: Family;
  /** null = plain RTP. */
  srtp: SrtpSettings | null;
}

/** The audio line that is used, and the payload types chosen from it. */
export interface AudioChoice {
  /** Position among the m= lines, from 0. */
  index: number;
  line: MediaLine;
  codec: CodecName;
  payload: Payload;
  telephoneEvents: readonly Payload[];
  comfortNoise: Payload | null;
  /** The peer's key; null on a plain line. */
  crypto: Crypto | null;
}

type Security = 'plain' | 'srtp';

const SECURITY_OF: ReadonlyMap<string, Security> = new Map([
  ['RTP/AVP', 'plain'],
  ['RTP/AVPF', 'plain'],
  ['RTP/SAVP', 'srtp'],
  ['RTP/SAVPF', 'srtp'],
]);
/** What a policy takes, best first: SAVP before AVP. RTP/AVP with a=crypto counts as plain. */
const ALLOWED_BY: Readonly<Record<MediaPolicy['srtp'], readonly Security[]>> = {
  off: ['plain'],
  optional: ['srtp', 'plain'],
  required: ['srtp'],
};

/**
 * The first audio line that policy allows and that has a codec in common.
 * @throws Refusal `srtp_required`, or `no_common_codec` with what was offered
 */
export function chooseAudio(remote: RemoteDescription, policy: MediaPolicy): AudioChoice {
  const audio = remote.media.flatMap((line, index) => (isAudio(line) ? [{ line, index }] : []));
  for (const security of ALLOWED_BY[policy.srtp]) {
    for (const { line, index } of audio.filter((each) => securityOf(each.line) === security)) {
      const crypto = security === 'plain' ? null : usableCrypto(line.crypto)[0];
      const payload = preferred(speechOf(line, policy.codecs), policy.codecs);
      if (crypto === undefined || payload === undefined) continue;
      const choice = chosen(index, line, payload, crypto);
      // One is answered, the other rate is refused with it.
      return { ...choice, telephoneEvents: choice.telephoneEvents.slice(0, 1) };
    }
  }
  throw notChosen(
    audio.map((each) => each.line),
    policy,
  );
}

/**
 * Takes what the answer to our own offer says about the audio line that we offered.
 * @param offered our own keys, one of which the answer must take by its tag; none on a plain line
 * @throws Refusal `sdp_invalid` when the line is missing, `no_common_codec` when it is refused or shares no codec
 */
export function chooseAnswered(
  remote: RemoteDescription,
  index: number,
  codecs: MediaPolicy['codecs'],
  offered: readonly Crypto[],
): AudioChoice {
  const line = remote.media[index];
  if (line?.kind !== 'audio') throw invalid(`the answer has no audio line at position ${index + 1}`);
  if (line.port === 0) throw new Refusal('no_common_codec', 'the answer refuses the audio line');
  // The answerer lists what it will send first, so its order decides among the codecs that we offered.
  const security: Security = offered.length === 0 ? 'plain' : 'srtp';
  const [payload] = securityOf(line) === security ? speechOf(line, codecs) : [];
  if (payload === undefined) throw new Refusal('no_common_codec', whatWasOffered([line], security));
  if (security === 'plain') return chosen(index, line, payload, null);
  const crypto = usableCrypto(line.crypto).find(({ tag, suite }) =>
    offered.some((own) => own.tag === tag && own.suite === suite),
  );
  if (crypto === undefined) throw new Refusal('no_common_codec', 'the answer takes none of the offered keys');
  return chosen(index, line, payload, crypto);
}

/**
 * What the choice means for our side of the leg.
 * @param keys of ours, for an encrypted line
 * @param localFamily of our own media address; null while none is taken yet
 * @throws Refusal `sdp_invalid` for unusable addresses, `no_common_codec` when the families differ
 */
export function negotiate(choice: AudioChoice, keys: LocalKeys, localFamily: Family | null): NegotiatedMedia {
  const { line, payload, telephoneEvents, comfortNoise, crypto } = choice;
  const remote = addressOf(line);
  if (localFamily !== null && remote.family !== localFamily && !remote.unspecified) {
    throw new Refusal(
      'no_common_codec',
      `media over IPv${remote.family} cannot reach this IPv${localFamily} leg`,
    );
  }
  const silent = line.direction === 'sendonly' || line.direction === 'inactive';
  return {
    codec: choice.codec,
    ...(choice.codec === 'opus' && { opus: readOpusFmtp(payload.fmtp) }),
    payloadType: payload.type,
    comfortNoisePayloadType: comfortNoise?.type ?? null,
    telephoneEvents: telephoneEvents.map(({ type, clockRate }) => ({ payloadType: type, clockRate })),
    remoteAddress: remote.address,
    remotePort: line.port,
    ...rtcpOf(line, remote),
    rtcpMux: line.rtcpMux,
    direction: ourDirection(line.direction, remote.unspecified),
    held: silent || remote.unspecified,
    ptimeMs: line.maxptimeMs !== null && line.maxptimeMs < 20 ? 10 : 20,
    family: remote.unspecified && localFamily !== null ? localFamily : remote.family,
    srtp: crypto && {
      suite: crypto.suite,
      localKey: keys.of(crypto.suite),
      remoteKey: crypto.key,
      remoteMki: crypto.mki,
    },
  };
}

function isAudio(line: MediaLine): boolean {
  return line.kind === 'audio' && line.port > 0 && line.portCount === 1;
}

function securityOf(line: MediaLine): Security | undefined {
  return SECURITY_OF.get(line.protocol.toUpperCase());
}

/** The payload types that carry a codec of ours. */
function speechOf(line: MediaLine, codecs: MediaPolicy['codecs']): Payload[] {
  return line.payloads.filter((each) => {
    const codec = codecOf(each);
    return codec !== undefined && (codecs === null || codecs.includes(codec));
  });
}

/** The first in our order of preference, or in theirs where we have none. Of duplicates the first counts. */
function preferred(speech: Payload[], order: MediaPolicy['codecs']): Payload | undefined {
  if (order === null) return speech[0];
  return order.flatMap((name) => speech.find((each) => codecOf(each) === name) ?? [])[0];
}

function chosen(index: number, line: MediaLine, payload: Payload, crypto: Crypto | null): AudioChoice {
  return {
    index,
    line,
    codec: codecOf(payload) as CodecName,
    payload,
    telephoneEvents: eventsFor(line, payload),
    comfortNoise: payloadAt(line, 'CN', payload.clockRate)[0] ?? null,
    crypto,
  };
}

/** Events belong to the clock of their codec (RFC 4733 §2.1); beside Opus many offer or send them at 8 kHz only. */
function eventsFor(line: MediaLine, { clockRate }: Payload): Payload[] {
  return [...new Set([clockRate, 8000])].flatMap((rate) => payloadAt(line, 'TELEPHONE-EVENT', rate));
}

/** At most one; of duplicates the first counts. */
function payloadAt(line: MediaLine, name: string, clockRate: number): Payload[] {
  return line.payloads.filter((each) => each.name === name && each.clockRate === clockRate).slice(0, 1);
}

function addressOf(line: MediaLine): MediaAddress {
  if (line.connection === null) throw invalid('the audio line has no c=, and the session has none either');
  return readAddress(line.connection.version, line.connection.address, 'c=');
}

/** RTCP goes to the RTP port when multiplexed, else where a=rtcp says, else to the port above. */
function rtcpOf(line: MediaLine, remote: MediaAddress) {
  const own = { remoteRtcpAddress: remote.address };
  if (line.rtcpMux) return { ...own, remoteRtcpPort: line.port };
  if (line.rtcp === null) return { ...own, remoteRtcpPort: line.port < 65_535 ? line.port + 1 : 0 };
  const { port, version, address } = line.rtcp;
  if (!(port >= 1 && port <= 65_535)) throw invalid('a=rtcp must name a port from 1 to 65535');
  if (address === null) return { ...own, remoteRtcpPort: port };
  return { remoteRtcpAddress: readAddress(version, address, 'a=rtcp').address, remoteRtcpPort: port };
}

/**
 * The mirror of the peer's direction. Nothing can be sent to 0.0.0.0, so such a hold never reads `sendrecv`
 * (and the media timeout rests).
 */
function ourDirection(theirs: Direction, nowhere: boolean): Direction {
  const weSend = (theirs === 'sendrecv' || theirs === 'recvonly') && !nowhere;
  const weReceive = theirs === 'sendrecv' || theirs === 'sendonly';
  if (weSend) return weReceive ? 'sendrecv' : 'sendonly';
  return weReceive ? 'recvonly' : 'inactive';
}

/** Why no line will do: an encrypted one is missing or has no usable key, else the codecs. */
function notChosen(lines: MediaLine[], { srtp }: MediaPolicy): Refusal {
  const encrypted = lines.filter((line) => securityOf(line) === 'srtp');
  if (srtp === 'required' && encrypted.length === 0) {
    return new Refusal('srtp_required', 'no RTP/SAVP audio line in the offer');
  }
  const isUnusable = (line: MediaLine) => usableCrypto(line.crypto).length === 0;
  const onlyEncrypted = encrypted.length === lines.length;
  if (srtp !== 'off' && encrypted.length > 0 && encrypted.every(isUnusable)) {
    if (srtp === 'required') return new Refusal('srtp_required', noUsableKey(encrypted));
    if (onlyEncrypted) return new Refusal('no_common_codec', noUsableKey(encrypted));
  }
  const wanted = srtp === 'required' || (srtp === 'optional' && onlyEncrypted) ? 'srtp' : 'plain';
  return new Refusal('no_common_codec', whatWasOffered(lines, wanted));
}

function noUsableKey(lines: MediaLine[]): string {
  const offered = suitesOf(lines.flatMap((line) => line.crypto));
  return `no a=crypto that can be used; offered: ${offered}; taken: ${Object.keys(srtpSuites).join(', ')}`;
}

function whatWasOffered(lines: MediaLine[], wanted: Security): string {
  if (lines.length === 0) return 'no audio line with a port';
  const usable = lines.filter((line) => securityOf(line) === wanted);
  if (usable.length === 0) {
    const protocols = [...new Set(lines.map((line) => line.protocol))].join(', ');
    const needed = wanted === 'plain' ? 'RTP/AVP' : 'RTP/SAVP';
    return `audio is offered as ${protocols.slice(0, 60)} only; ${needed} is needed`;
  }
  const names = usable.flatMap((line) =>
    line.payloads.map((each) => each.name || `payload type ${each.type}`),
  );
  return `offered: ${[...new Set(names)].slice(0, 8).join(', ').slice(0, 120)}`;
}
