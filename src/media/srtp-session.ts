import { type SrtpSettings, type SrtpSuite, srtpSuites } from '../srtp.ts';
import { CounterMode } from './srtp-counter-mode.ts';
import { Gcm } from './srtp-gcm.ts';
import { deriveKeys } from './srtp-keys.ts';
import { NOT_AUTHENTIC, SrtpReceiver } from './srtp-receiver.ts';
import { SrtpSender } from './srtp-sender.ts';
import type { SrtpTransform } from './srtp-transform.ts';

/**
 * The SRTP of a leg through all its re-INVITEs, a pure core. Keys that come again change nothing, as most PBXs repeat
 * theirs; a new key of the peer counts from then on, and its old one for a short time beside it. Times are monotonic ms.
 * Source: RFC 3711 §3.3.1, §8.1; RFC 4568 §7.1.4; decisions §5.
 */

/** Packets under the old key may still be on their way, and the peer goes on with it until it has our answer. */
const OLD_KEY_MS = 5000;
/** Longer ones are dropped; a datagram of RTP or RTCP has at most what one Ethernet frame carries. */
const MOST_PACKET_BYTES = 2048;

interface Inbound {
  /** Suite, key and identifier, to know them again. */
  readonly keys: string;
  readonly receiver: SrtpReceiver;
}

export class SrtpSession {
  #on = false;
  #outbound: { keys: string; sender: SrtpSender } | undefined;
  #current: Inbound | undefined;
  #previous: Inbound | undefined;
  #previousUntil = 0;

  /** Whether the leg's media is protected now. */
  get on(): boolean {
    return this.#on;
  }

  /**
   * Applies what SDP agreed; null = plain RTP from now on, with the state of the keys kept should they come back.
   * @returns whether what we send has to begin a new stream, with an SSRC of its own. A peer with a new key may have begun
   *   to count anew in both directions, or go on; after plain RTP nobody knows any more where it was; and no index may
   *   come twice under one key. A new SSRC is right for all of them.
   */
  configure(settings: SrtpSettings | null, now: number): boolean {
    const wasOn = this.#on;
    this.#on = settings !== null;
    if (settings === null) return false;
    const rekeyed = this.#receiveWith(settings, now);
    const keys = `${settings.suite} ${settings.localKey}`;
    const known = this.#outbound;
    if (known?.keys === keys && wasOn && !rekeyed) return false;
    const transform = transformOf(settings.suite, settings.localKey);
    this.#outbound = { keys, sender: new SrtpSender(transform, MOST_PACKET_BYTES) };
    return known !== undefined;
  }

  /** @returns the protected form of a packet of ours; its bytes are good for four packets */
  protectRtp(packet: Uint8Array): Buffer {
    return (this.#outbound as { sender: SrtpSender }).sender.protectRtp(packet);
  }

  /** The same for RTCP. */
  protectRtcp(packet: Uint8Array): Buffer {
    return (this.#outbound as { sender: SrtpSender }).sender.protectRtcp(packet);
  }

  /** Checks and decrypts a packet in place. @returns its length as RTP, `NOT_AUTHENTIC` or `REPLAYED` */
  unprotectRtp(packet: Uint8Array, now: number): number {
    if (packet.length > MOST_PACKET_BYTES) return NOT_AUTHENTIC;
    const length = this.#current?.receiver.unprotectRtp(packet) ?? NOT_AUTHENTIC;
    return length === NOT_AUTHENTIC && this.#mayBeOld(now)
      ? (this.#previous as Inbound).receiver.unprotectRtp(packet)
      : length;
  }

  /** The same for RTCP; written out, for a method that is looked up by its name costs every packet of RTP. */
  unprotectRtcp(packet: Uint8Array, now: number): number {
    if (packet.length > MOST_PACKET_BYTES) return NOT_AUTHENTIC;
    const length = this.#current?.receiver.unprotectRtcp(packet) ?? NOT_AUTHENTIC;
    return length === NOT_AUTHENTIC && this.#mayBeOld(now)
      ? (this.#previous as Inbound).receiver.unprotectRtcp(packet)
      : length;
  }

  /** @returns whether the peer has another key than before */
  #receiveWith({ suite, remoteKey, remoteMki }: SrtpSettings, now: number): boolean {
    const keys = `${suite} ${remoteKey} ${remoteMki}`;
    const before = this.#current;
    if (before?.keys === keys) return false;
    this.#current =
      this.#previous?.keys === keys
        ? this.#previous
        : {
            keys,
            receiver: new SrtpReceiver(
              transformOf(suite, remoteKey),
              Buffer.from(remoteMki, 'hex'),
              before?.receiver,
            ),
          };
    this.#previous = before;
    this.#previousUntil = now + OLD_KEY_MS;
    return before !== undefined;
  }

  #mayBeOld(now: number): boolean {
    if (this.#previous !== undefined && now > this.#previousUntil) this.#previous = undefined;
    return this.#previous !== undefined;
  }
}

/** The keys of one direction at work. @param inline as in `a=crypto` */
export function transformOf(suite: SrtpSuite, inline: string): SrtpTransform {
  const keys = deriveKeys(suite, inline);
  const isGcm = suite.startsWith('AEAD');
  return isGcm ? new Gcm(keys) : new CounterMode(keys, srtpSuites[suite].tagBytes, MOST_PACKET_BYTES);
}
