import { type ReportBlock, readRtcp, type SenderInfo, writeRtcp } from './rtcp.ts';

/** ms between two reports (decisions §5); each interval is drawn from 0.8 to 1.2 of it, so that legs spread (RFC 3550 §6.2). */
const INTERVAL_MS = 5_000;
/** The first report comes sooner, so that a short call has its round trip too (RFC 3550 §6.2: half the interval). */
const FIRST_MS = INTERVAL_MS / 2;
/** Seconds from the epoch of NTP (1900) to that of Unix. */
const NTP_EPOCH_S = 2_208_988_800;
/** A round trip above this is a peer's mistake, ms. */
const MAX_ROUND_TRIP_MS = 30_000;

/** What the peer has told of what it hears of us. */
export interface PeerReception {
  packetsLost: number;
  /** Share lost between its last two reports, 0 to 1. */
  fractionLost: number;
  /** In units of the RTP clock. */
  jitter: number;
}

export interface RtcpSessionOptions {
  cname: string;
  /** Wall clock ms at monotonic 0: a step of the wall clock must not reach the reports. */
  wallOrigin: number;
  /** From 0 up to 1. */
  random?: () => number;
}

/**
 * RTCP of one leg, a pure core: when to report, what to say, and what the peer's reports mean: round trip, and what it
 * loses of us. Times are monotonic ms.
 */
export class RtcpSession {
  readonly #options: RtcpSessionOptions;
  readonly #random: () => number;
  #dueAt = Number.POSITIVE_INFINITY;
  #ssrc = 0;
  #reportedPackets = 0;
  /** The peer's last sender report: whose, its stamp, when it came. */
  #lastSr: { ssrc: number; stamp: number; at: number } | undefined;
  /** ms; the mean of those measured, weighted towards the newer (RFC 6298's 1/8); undefined before the first. */
  roundTripMs: number | undefined;
  peer: PeerReception | undefined;
  /** The peer has said BYE for its stream. */
  ended = false;

  constructor(options: RtcpSessionOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
  }

  /** Sending has begun. */
  start(now: number): void {
    if (!this.started) this.#dueAt = now + this.#spread(FIRST_MS);
  }

  get started(): boolean {
    return this.#dueAt !== Number.POSITIVE_INFINITY;
  }

  due(now: number): boolean {
    return now >= this.#dueAt;
  }

  /**
   * The report of now, and the next one is due an interval later.
   * @param sent totals of what was sent, and as whom
   * @param received what came of the peer since the last report; absent when nothing ever did
   */
  report(
    now: number,
    sent: { ssrc: number; rtpTimestamp: number; packets: number; bytes: number },
    received: Omit<ReportBlock, 'lastSr' | 'delaySinceLastSr'> | undefined,
    bye = false,
  ): Buffer {
    this.#dueAt = now + this.#spread(INTERVAL_MS);
    const sends = sent.ssrc !== this.#ssrc ? sent.packets > 0 : sent.packets > this.#reportedPackets;
    this.#reportedPackets = sent.packets;
    this.#ssrc = sent.ssrc;
    const { ssrc } = sent;
    const { cname } = this.#options;
    const sender: SenderInfo | undefined = sends ? { ...this.#ntp(now), ...sent } : undefined;
    const blocks = received === undefined ? [] : [{ ...received, ...this.#sinceLastSr(received.ssrc, now) }];
    return writeRtcp({ ssrc, cname, sender, blocks, bye });
  }

  /** Takes what came from the peer. @returns whether it could be read */
  hear(datagram: Uint8Array, now: number): boolean {
    const heard = readRtcp(datagram);
    if (heard === undefined) return false;
    const report = heard.senderReports.at(-1);
    if (report !== undefined) this.#lastSr = { ssrc: report.ssrc, stamp: report.lastSr, at: now };
    for (const block of heard.blocks) if (block.ssrc === this.#ssrc) this.#learn(block, now);
    if (heard.bye) this.ended = true;
    return true;
  }

  #learn(block: ReportBlock, now: number): void {
    this.peer = {
      packetsLost: block.totalLost,
      fractionLost: block.fractionLost / 256,
      jitter: block.jitter,
    };
    if (block.lastSr === 0) return;
    // RFC 3550 §6.4.1: arrival less the report's stamp less the time that the peer had it, in 1/65536 s, modulo 2^32.
    const units = (this.#stamp(now) - block.lastSr - block.delaySinceLastSr) | 0;
    const ms = Math.max(0, units) / 65.536;
    if (ms > MAX_ROUND_TRIP_MS) return;
    this.roundTripMs = this.roundTripMs === undefined ? ms : this.roundTripMs + (ms - this.roundTripMs) / 8;
  }

  #sinceLastSr(ssrc: number, now: number): Pick<ReportBlock, 'lastSr' | 'delaySinceLastSr'> {
    const last = this.#lastSr;
    if (last === undefined || last.ssrc !== ssrc) return { lastSr: 0, delaySinceLastSr: 0 };
    return { lastSr: last.stamp, delaySinceLastSr: Math.round((now - last.at) * 65.536) >>> 0 };
  }

  #ntp(now: number): Pick<SenderInfo, 'ntpSeconds' | 'ntpFraction'> {
    const wall = this.#options.wallOrigin + now;
    const seconds = Math.floor(wall / 1000);
    return {
      ntpSeconds: (seconds + NTP_EPOCH_S) >>> 0,
      ntpFraction: Math.floor(((wall - seconds * 1000) / 1000) * 2 ** 32) >>> 0,
    };
  }

  /** Middle 32 bits of the NTP timestamp of `now`. */
  #stamp(now: number): number {
    const { ntpSeconds, ntpFraction } = this.#ntp(now);
    return ((ntpSeconds << 16) | (ntpFraction >>> 16)) >>> 0;
  }

  #spread(ms: number): number {
    return ms * (0.8 + 0.4 * this.#random());
  }
}
