import { randomInt } from 'node:crypto';
import { type CodecName, codecNames } from '../config/codecs.ts';
import { Refusal } from '../errors.ts';
import { type Family, familyOf, isUnspecified } from './address.ts';
import {
  type AudioChoice,
  chooseAnswered,
  chooseAudio,
  type MediaPolicy,
  type NegotiatedMedia,
  negotiate,
} from './answer.ts';
import { forms } from './codecs.ts';
import { type Crypto, LocalKeys, ownCrypto } from './crypto.ts';
import { type Payload, parseSdp } from './parse.ts';
import { audioLine, type LocalLine, refusedLine, writeSdp } from './write.ts';

export type { MediaPolicy, NegotiatedMedia } from './answer.ts';

/** Our end of the media: a numeric address, and the even port. */
export interface LocalMedia {
  address: string;
  rtpPort: number;
}

/** What an offer tells before a port is taken. */
export interface OfferSummary {
  codec: CodecName;
  family: Family;
  remoteAddress: string;
}

export interface Agreement {
  media: NegotiatedMedia;
  /** The peer's address or port differs from before, so the source lock may move; false at first and on hold. */
  moved: boolean;
}

/**
 * Offer/answer of one leg: keeps the id and version of o=, what was sent last and where the peer was last.
 * A call that throws leaves all of it as it was. Source: RFC 3264; decisions §5.
 */
export class SdpSession {
  readonly #policy: MediaPolicy;
  readonly #sessionId: string;
  readonly #keys = new LocalKeys();
  #version = 0;
  #originAddress: string | undefined;
  #timing = { start: 0, stop: 0 };
  #lines: readonly LocalLine[] = [];
  #localSdp = '';
  /** The peer's payload types, so that our own offers bind no number to another name (RFC 3264 §8.3.2). */
  #known: readonly Payload[] = [];
  /** `address port` where the peer last wanted RTP, empty while it never wanted any, undefined before any SDP. */
  #destination: string | undefined;

  /** @param sessionId id of o=, decimal digits */
  constructor(policy: MediaPolicy, sessionId: string = String(randomInt(1, 2 ** 47))) {
    this.#policy = policy;
    this.#sessionId = sessionId;
  }

  /** What was sent last, empty before the first. */
  get localSdp(): string {
    return this.#localSdp;
  }

  /**
   * Row 13 of admission: could this offer be answered?
   * @throws Refusal `sdp_invalid`, `no_common_codec` or `srtp_required`, with a detail
   */
  check(offer: string): OfferSummary {
    const choice = chooseAudio(parseSdp(offer), this.#policy);
    const { codec, family, remoteAddress } = negotiate(choice, this.#keys, null);
    return { codec, family, remoteAddress };
  }

  /** The same where the peer leaves the offer to us. @throws Refusal `srtp_required` */
  checkLateOffer(): void {
    this.#firstSecurity();
  }

  /**
   * Answers an offer, of the INVITE or of a re-INVITE or UPDATE. An offer that takes the audio away (port 0) is
   * refused like one without a common codec: a PBX that tries T.38 then goes on with the audio that there is.
   * @throws Refusal `sdp_invalid`, `no_common_codec` or `srtp_required`, with a detail
   */
  answer(offer: string, local: LocalMedia): Agreement & { sdp: string } {
    const remote = parseSdp(offer);
    const choice = chooseAudio(remote, this.#policy);
    const media = negotiate(choice, this.#keys, familyOf(local.address));
    this.#timing = remote.timing;
    this.#lines = remote.media.map((line, index) =>
      index === choice.index ? answerLine(choice, media, local) : refusedLine(line),
    );
    return { sdp: this.#publish(local), ...this.#agree(choice, media) };
  }

  /**
   * Our own offer, for an INVITE or re-INVITE that came without SDP: all codecs of the policy, `sendrecv`,
   * in the place that the audio line had so far. In a call SRTP stays as it was agreed, with the same key. A first offer
   * carries keys only where nobody can read them on the way, and only for a trunk that requires them: a peer that cannot
   * use RTP/SAVP has nothing else to take, and one that is offered two audio lines may take both.
   * @param family of the media that the peer can use
   * @throws Refusal `srtp_required`: SRTP cannot be offered here; `no_common_codec`: our address is of another family
   */
  offer(local: LocalMedia, family: Family): string {
    if (familyOf(local.address) !== family) {
      throw new Refusal('no_common_codec', `there is no IPv${family} media address here`);
    }
    const before = this.#audioLine;
    const security = before
      ? { protocol: before.protocol, crypto: before.audio?.crypto ?? [] }
      : this.#firstSecurity();
    const line = offerLine(this.#policy, this.#known, local, security);
    this.#lines = before ? this.#lines.map((each) => (each.audio === null ? each : line)) : [line];
    return this.#publish(local);
  }

  /**
   * Takes the answer to `offer`, which comes with the ACK.
   * @throws Refusal `sdp_invalid` or `no_common_codec`: the call cannot go on
   */
  accept(answer: string, local: LocalMedia): Agreement {
    const index = this.#lines.findIndex((line) => line.audio !== null);
    const offered = this.#audioLine?.audio?.crypto ?? [];
    const choice = chooseAnswered(parseSdp(answer), Math.max(index, 0), this.#policy.codecs, offered);
    // We offer no rtcp-mux, so an answer cannot agree to it.
    const plain = { ...choice, line: { ...choice.line, rtcpMux: false } };
    return this.#agree(plain, negotiate(plain, this.#keys, familyOf(local.address)));
  }

  get #audioLine(): LocalLine | undefined {
    return this.#lines.find((line) => line.audio !== null);
  }

  /** Of an offer that begins a call. @throws Refusal `srtp_required` */
  #firstSecurity(): LineSecurity {
    const { srtp, tls } = this.#policy;
    if (srtp !== 'required') return { protocol: 'RTP/AVP', crypto: [] };
    if (tls) return { protocol: 'RTP/SAVP', crypto: ownCrypto(this.#keys) };
    throw new Refusal('srtp_required', 'an INVITE without SDP gets an offer without SRTP, except over TLS');
  }

  /** Writes our lines; the version rises by one when the text differs from what was sent last, and only then. */
  #publish(local: LocalMedia): string {
    this.#originAddress ??= local.address;
    const description = {
      sessionId: this.#sessionId,
      version: this.#version,
      originAddress: this.#originAddress,
      address: local.address,
      timing: this.#timing,
      lines: this.#lines,
    };
    if (writeSdp(description) !== this.#localSdp) {
      this.#version += 1;
      this.#localSdp = writeSdp({ ...description, version: this.#version });
    }
    return this.#localSdp;
  }

  /** A hold by 0.0.0.0 is no move, and neither is the way back to the address from before. */
  #agree(choice: AudioChoice, media: NegotiatedMedia): Agreement {
    this.#known = choice.line.payloads;
    const destination = isUnspecified(media.remoteAddress)
      ? (this.#destination ?? '')
      : `${media.remoteAddress} ${media.remotePort}`;
    const moved = this.#destination !== undefined && destination !== this.#destination;
    this.#destination = destination;
    return { media, moved };
  }
}

interface LineSecurity {
  protocol: string;
  crypto: readonly Crypto[];
}

function answerLine({ line, crypto }: AudioChoice, media: NegotiatedMedia, local: LocalMedia): LocalLine {
  return audioLine(line.protocol, {
    port: local.rtpPort,
    codecs: [{ name: media.codec, payloadType: media.payloadType }],
    telephoneEvents: media.telephoneEvents,
    ptimeMs: media.ptimeMs,
    direction: media.direction,
    rtcpMux: media.rtcpMux,
    crypto: crypto && media.srtp ? [{ ...crypto, key: media.srtp.localKey }] : [],
  });
}

function offerLine(
  policy: MediaPolicy,
  known: readonly Payload[],
  local: LocalMedia,
  { protocol, crypto }: LineSecurity,
): LocalLine {
  const numbers = new PayloadNumbers(known);
  const codecs = (policy.codecs ?? codecNames).flatMap((name) => {
    const payloadType = numbers.of(name, forms[name]);
    return payloadType === null ? [] : [{ name, payloadType }];
  });
  const rates = new Set(codecs.map(({ name }) => forms[name].clockRate));
  const telephoneEvents = [...rates].flatMap((clockRate) => {
    const payloadType = numbers.of('telephone-event', { clockRate, channels: 1, payloadType: 101 });
    return payloadType === null ? [] : [{ payloadType, clockRate }];
  });
  return audioLine(protocol, {
    port: local.rtpPort,
    codecs,
    telephoneEvents,
    ptimeMs: 20,
    direction: 'sendrecv',
    rtcpMux: false,
    crypto,
  });
}

/** The dynamic payload types (RFC 3551 §6), from the usual one of telephone-event on. */
const DYNAMIC = Array.from({ length: 32 }, (_, index) => 96 + ((index + 5) % 32));

/** Gives each name the number that the peer gave it, else the usual one, else the next that nobody uses. */
class PayloadNumbers {
  readonly #known: readonly Payload[];
  readonly #taken: Set<number>;

  constructor(known: readonly Payload[]) {
    this.#known = known;
    this.#taken = new Set(known.map((each) => each.type));
  }

  /** @returns null when the peer uses all numbers for something else; never so for the codec that is in use */
  of(name: string, form: { clockRate: number; channels: number; payloadType: number }): number | null {
    const { clockRate, channels, payloadType: usual } = form;
    const same = this.#known.find(
      (each) =>
        each.name === name.toUpperCase() && each.clockRate === clockRate && each.channels === channels,
    );
    const number = same?.type ?? [usual, ...DYNAMIC].find((each) => !this.#taken.has(each));
    if (number === undefined) return null;
    this.#taken.add(number);
    return number;
  }
}
