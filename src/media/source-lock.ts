import { comparable } from './ip-address.ts';

/**
 * Whose RTP a leg takes (decisions §5), a pure core. Before the lock: any port of the SDP's address or of the caller's
 * address; the first valid packet locks address and port. Afterwards only that source, until a re-INVITE moved the
 * peer, or the source has been silent for 2 s and its address sends from another port. What a PBX has still sent behind a
 * re-INVITE that connects us with its phone does not lock the phone out. The SSRC plays no part: PBXs change it at every
 * transfer.
 */
const SILENT_SOURCE_MS = 2000;

export type LockVerdict = 'refused' | 'accepted' | 'locked';

export class SourceLock {
  #caller: string;
  #sdp = '';
  /** As the socket reports it, to compare without work per packet; and in its comparable form. */
  #rawAddress = '';
  #address = '';
  #port = 0;
  #lastAt = 0;
  #movedAt: number | undefined;
  /** Until then the SDP's address takes the place of a source that came first after a move, but from elsewhere. */
  #awaitedUntil = 0;
  /** Whether the locked source is where we send: a re-INVITE that moves the peer wins until RTP comes. */
  #current = false;

  constructor(callerAddress: string) {
    this.#caller = comparable(callerAddress);
  }

  /** The locked source to send to, while there is one. */
  get target(): { address: string; port: number } | undefined {
    return this.#current ? { address: this.#rawAddress, port: this.#port } : undefined;
  }

  /** Whether another may take the source's place though it speaks: the peer has said that it moves. */
  isOpen(now: number): boolean {
    return this.#movedAt !== undefined || now < this.#awaitedUntil;
  }

  /** A call that we placed was answered from there. */
  expect(calleeAddress: string): void {
    this.#caller = comparable(calleeAddress);
  }

  /** @param moved the SDP's address or port differs from before */
  configure(sdpAddress: string, moved: boolean, now: number): void {
    this.#sdp = comparable(sdpAddress);
    if (!moved) return;
    this.#awaitedUntil = 0;
    this.#movedAt = now;
    this.#current = false;
  }

  /**
   * Judges a valid RTP packet of a negotiated payload type.
   * @returns `locked` when the source to send to is new, `accepted` when it is the known one
   */
  accept(address: string, port: number, now: number): LockVerdict {
    if (port === this.#port && address === this.#rawAddress) {
      this.#lastAt = now;
      return this.#current ? 'accepted' : this.#confirm(now);
    }
    return this.#mayLock(comparable(address), now) ? this.#lock(address, port, now) : 'refused';
  }

  /** Whether `accept` would refuse a packet: asked before work is spent on one whose sender is not yet proven (SRTP). */
  refuses(address: string, port: number, now: number): boolean {
    if (port === this.#port && address === this.#rawAddress) return false;
    return !this.#mayLock(comparable(address), now);
  }

  /** Whether RTCP from this address may be the peer's; its port is judged where the ports of RTCP are known. */
  recognizes(address: string): boolean {
    const source = comparable(address);
    if (this.#port !== 0 && source === this.#address) return true;
    return (this.#port === 0 || this.#movedAt !== undefined) && this.#isExpected(source);
  }

  /** The old source goes on after the peer said that it moved: when nobody else comes, it was the old one after all. */
  #confirm(now: number): LockVerdict {
    if (this.#movedAt !== undefined && now - this.#movedAt < SILENT_SOURCE_MS) return 'accepted';
    this.#current = true;
    return 'locked';
  }

  #mayLock(source: string, now: number): boolean {
    if (this.#port === 0 || this.#movedAt !== undefined) {
      if (this.#isExpected(source)) return true;
    }
    if (now < this.#awaitedUntil && source === this.#sdp) return true;
    return this.#port !== 0 && source === this.#address && now - this.#lastAt >= SILENT_SOURCE_MS;
  }

  #isExpected(source: string): boolean {
    return source !== '' && (source === this.#sdp || source === this.#caller);
  }

  #lock(address: string, port: number, now: number): LockVerdict {
    this.#rawAddress = address;
    this.#address = comparable(address);
    this.#port = port;
    this.#lastAt = now;
    const isAwaited = this.#movedAt !== undefined && this.#sdp !== '' && this.#address !== this.#sdp;
    this.#awaitedUntil = isAwaited ? (this.#movedAt as number) + SILENT_SOURCE_MS : 0;
    this.#movedAt = undefined;
    this.#current = true;
    return 'locked';
  }
}
