import { comparable, isUnspecified, sendable } from './ip-address.ts';
import type { MediaSettings } from './media-port.ts';
import type { ReportBlock } from './rtcp.ts';
import { RtcpSession } from './rtcp-session.ts';
import { counter, type StatsBlock } from './stats-block.ts';

/** What has been sent so far, and as whom. */
export interface SentSoFar {
  ssrc: number;
  /** Units of the RTP timestamp in a second. */
  clockRate: number;
  /** Of now, on the RTP clock. */
  rtpTimestamp: number;
  packets: number;
  bytes: number;
}

/** What the leg's RTCP needs of the leg. */
export interface LegRtcpParts {
  stats: StatsBlock;
  sent: () => SentSoFar;
  received: () => Omit<ReportBlock, 'lastSr' | 'delaySinceLastSr'> | undefined;
  /** @param muxed from the RTP port */
  send: (packet: Buffer, port: number, address: string, muxed: boolean) => void;
  /** Where RTP comes from, once it does. */
  source: () => Source | undefined;
  family: 4 | 6;
}

interface Source {
  address: string;
  port: number;
}

const isAt = (one: Source, other: Source | undefined): boolean =>
  other !== undefined && one.port === other.port && comparable(one.address) === comparable(other.address);

/** So long the learnt source of RTCP has to be silent, ms, before another is followed: three reports. */
const SILENT_MS = 15_000;

/**
 * RTCP of a leg in a media worker: reports go where the SDP says, and come from there or from where RTP comes from. Where RTP
 * shows a NAT in between, they go to where the RTCP of the peer comes from, and stay with that as long as it is heard: others
 * behind that NAT draw no report to themselves, and what they report is not read.
 */
export class LegRtcp {
  readonly #parts: LegRtcpParts;
  readonly #session: RtcpSession;
  #muxed = false;
  /** Of the SDP; undefined where that cannot be sent to. */
  #agreed: Source | undefined;
  /** Where RTP would come from, says the SDP. */
  #agreedRtp: Source | undefined;
  /** Behind a NAT. */
  #learnt: Source | undefined;
  #heardAt = 0;

  constructor(parts: LegRtcpParts) {
    this.#parts = parts;
    const cname = `${crypto.randomUUID()}@kallglot`;
    this.#session = new RtcpSession({ cname, wallOrigin: Date.now() - performance.now() });
  }

  configure(settings: MediaSettings): void {
    if (settings.moved || settings.rtcpMux !== this.#muxed) this.#learnt = undefined;
    this.#muxed = settings.rtcpMux;
    this.#agreedRtp = { address: settings.remoteAddress, port: settings.remotePort };
    const { remoteRtcpAddress: address, remoteRtcpPort: port } = settings;
    const reachable = port > 0 && port < 65_536 && !isUnspecified(address);
    this.#agreed = reachable ? { address: sendable(address, this.#parts.family), port } : undefined;
  }

  start(now: number): void {
    this.#session.start(now);
  }

  /** Reports when it is time to. */
  poll(now: number): void {
    if (this.#session.due(now)) this.#report(now, false);
  }

  /** The leg is over. */
  bye(now: number): void {
    if (this.#session.started) this.#report(now, true);
  }

  /** Whether RTCP from a port of the peer's address is the peer's own. Until RTP has come nothing tells of a NAT. */
  accepts(from: Source, now: number): boolean {
    const source = this.#parts.source();
    if (source === undefined || isAt(from, this.#agreed) || isAt(from, source)) return true;
    return this.#isTranslated && this.#mayLearn(from, now);
  }

  /** Takes RTCP of the peer. @returns whether it could be read */
  hear(datagram: Uint8Array, from: Source, now: number): boolean {
    if (!this.#session.hear(datagram, now)) return false;
    this.#follow(from, now);
    const { stats, sent } = this.#parts;
    const { roundTripMs, peer } = this.#session;
    stats.add(counter.rtcpReceived, 1);
    if (roundTripMs !== undefined) stats.set(counter.roundTripMs, roundTripMs);
    if (peer === undefined) return true;
    stats.set(counter.peerPacketsLost, peer.packetsLost);
    stats.set(counter.peerJitterMs, (peer.jitter * 1000) / sent().clockRate);
    return true;
  }

  /** RTP comes from elsewhere than the SDP says: there is a NAT in between. */
  get #isTranslated(): boolean {
    const source = this.#parts.source();
    return source !== undefined && !isAt(source, this.#agreedRtp);
  }

  #mayLearn(from: Source, now: number): boolean {
    return this.#learnt === undefined || isAt(from, this.#learnt) || now - this.#heardAt >= SILENT_MS;
  }

  #follow({ address, port }: Source, now: number): void {
    if (!this.#isTranslated || !this.#mayLearn({ address, port }, now)) return;
    this.#learnt = { address, port };
    this.#heardAt = now;
  }

  #report(now: number, bye: boolean): void {
    const { stats, sent, received, send } = this.#parts;
    const packet = this.#session.report(now, sent(), received(), bye);
    const target = this.#isTranslated ? (this.#learnt ?? this.#agreed) : this.#agreed;
    if (target === undefined) return;
    send(packet, target.port, target.address, this.#muxed);
    stats.add(counter.rtcpSent, 1);
  }
}
