import type { CodecName } from '../config/codecs.ts';
import { Refusal } from '../errors.ts';
import { type Family, type MediaAddress, readAddress } from './address.ts';
import { codecOf } from './codecs.ts';
import { type OpusParameters, readOpusFmtp } from './opus-fmtp.ts';
import { type Direction, invalid, type MediaLine, type Payload, type RemoteDescription } from './parse.ts';

/**
 * Chooses: which audio line of an offer, which codec, and what that means for our side.
 * Source: RFC 3264 §6, RFC 4733, RFC 3605, RFC 5761; decisions §5.
 */

export interface MediaPolicy {
  /** The trunk's order of preference; null = every codec, in the offer's order. */
  codecs: readonly CodecName[] | null;
  srtp: 'off' | 'optional' | 'required';
}

/** What was agreed for one leg; fits the media port's settings. Addresses are numeric. */
export interface NegotiatedMedia {
  codec: CodecName;
  /** What the peer wants of the Opus that we send; absent with other codecs. */
  opus?: OpusParameters;
  payloadType: number;
  /** Comfort noise, which may come though we do not ask for it. */
  comfortNoisePayloadType: number | null;
  /** Payload types that may come and are not heard: telephone-event. */
  otherPayloadTypes: number[];
  telephoneEvent: { payloadType: number; clockRate: number } | null;
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
}

/** The audio line that is used, and the payload types chosen from it. */
export interface AudioChoice {
  /** Position among the m= lines, from 0. */
  index: number;
  line: MediaLine;
  codec: CodecName;
  payload: Payload;
  telephoneEvent: Payload | null;
  comfortNoise: Payload | null;
}

type Security = 'plain' | 'srtp';

const SECURITY_OF: ReadonlyMap<string, Security> = new Map([
  ['RTP/AVP', 'plain'],
  ['RTP/AVPF', 'plain'],
  ['RTP/SAVP', 'srtp'],
  ['RTP/SAVPF', 'srtp'],
]);
/** What a policy takes, best first: SAVP before AVP. */
const ALLOWED_BY: Readonly<Record<MediaPolicy['srtp'], readonly Security[]>> = {
  off: ['plain'],
  optional: ['srtp', 'plain'],
  required: ['srtp'],
};
/** What this version can carry; a policy that wants more finds no line. RTP/AVP with a=crypto counts as plain. */
const CARRIED: readonly Security[] = ['plain'];

/**
 * The first audio line that policy allows and that has a codec in common.
 * @throws Refusal `srtp_required`, or `no_common_codec` with what was offered
 */
export function chooseAudio(remote: RemoteDescription, policy: MediaPolicy): AudioChoice {
  const audio = remote.media.flatMap((line, index) => (isAudio(line) ? [{ line, index }] : []));
  for (const security of ALLOWED_BY[policy.srtp].filter((each) => CARRIED.includes(each))) {
    for (const { line, index } of audio.filter((each) => securityOf(each.line) === security)) {
      const payload = preferred(speechOf(line, policy.codecs), policy.codecs);
      if (payload !== undefined) return chosen(index, line, payload);
    }
  }
  const lines = audio.map((each) => each.line);
  throw policy.srtp === 'required' ? noSrtp(lines) : new Refusal('no_common_codec', whatWasOffered(lines));
}

/**
 * Takes what the answer to our own offer says about the audio line that we offered.
 * @throws Refusal `sdp_invalid` when the line is missing, `no_common_codec` when it is refused or shares no codec
 */
export function chooseAnswered(
  remote: RemoteDescription,
  index: number,
  codecs: MediaPolicy['codecs'],
): AudioChoice {
  const line = remote.media[index];
  if (line?.kind !== 'audio') throw invalid(`the answer has no audio line at position ${index + 1}`);
  if (line.port === 0) throw new Refusal('no_common_codec', 'the answer refuses the audio line');
  // The answerer lists what it will send first, so its order decides among the codecs that we offered.
  const [payload] = securityOf(line) === 'plain' ? speechOf(line, codecs) : [];
  if (payload === undefined) throw new Refusal('no_common_codec', whatWasOffered([line]));
  return chosen(index, line, payload);
}

/**
 * What the choice means for our side of the leg.
 * @param localFamily of our own media address; null while none is taken yet
 * @throws Refusal `sdp_invalid` for unusable addresses, `no_common_codec` when the families differ
 */
export function negotiate(choice: AudioChoice, localFamily: Family | null): NegotiatedMedia {
  const { line, payload, telephoneEvent, comfortNoise } = choice;
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
    otherPayloadTypes: telephoneEvent ? [telephoneEvent.type] : [],
    telephoneEvent: telephoneEvent && {
      payloadType: telephoneEvent.type,
      clockRate: telephoneEvent.clockRate,
    },
    remoteAddress: remote.address,
    remotePort: line.port,
    ...rtcpOf(line, remote),
    rtcpMux: line.rtcpMux,
    direction: ourDirection(line.direction, remote.unspecified),
    held: silent || remote.unspecified,
    ptimeMs: line.maxptimeMs !== null && line.maxptimeMs < 20 ? 10 : 20,
    family: remote.unspecified && localFamily !== null ? localFamily : remote.family,
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

function chosen(index: number, line: MediaLine, payload: Payload): AudioChoice {
  const at = (name: string, clockRate: number): Payload | null =>
    line.payloads.find((each) => each.name === name && each.clockRate === clockRate) ?? null;
  return {
    index,
    line,
    codec: codecOf(payload) as CodecName,
    payload,
    // Events belong to the clock of their codec (RFC 4733 §2.1); beside Opus many offer them at 8 kHz only.
    telephoneEvent: at('TELEPHONE-EVENT', payload.clockRate) ?? at('TELEPHONE-EVENT', 8000),
    comfortNoise: at('CN', payload.clockRate),
  };
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

function noSrtp(lines: MediaLine[]): Refusal {
  const offered = lines.some((line) => securityOf(line) === 'srtp');
  const detail = offered
    ? 'SRTP is not available on this gateway yet'
    : 'no RTP/SAVP audio line in the offer';
  return new Refusal('srtp_required', detail);
}

function whatWasOffered(lines: MediaLine[]): string {
  if (lines.length === 0) return 'no audio line with a port';
  const plain = lines.filter((line) => securityOf(line) === 'plain');
  if (plain.length === 0) {
    const protocols = [...new Set(lines.map((line) => line.protocol))].join(', ');
    return `audio is offered as ${protocols.slice(0, 60)} only; RTP/AVP is needed`;
  }
  const names = plain.flatMap((line) =>
    line.payloads.map((each) => each.name || `payload type ${each.type}`),
  );
  return `offered: ${[...new Set(names)].slice(0, 8).join(', ').slice(0, 120)}`;
}
