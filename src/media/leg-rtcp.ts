import type { RemoteInfo } from 'node:dgram';
import { isUnspecified, sendable } from './ip-address.ts';
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
  /** Whether RTP comes from elsewhere than the SDP says. */
  isTranslated: () => boolean;
  family: 4 | 6;
}

/** So long the learnt source of RTCP has to be silent, ms, before another is followed: three reports. */
const SILENT_MS = 15_000;

/**
 * RTCP of a leg in a media worker: reports go where the SDP says. Where RTP shows a NAT in between, they go to where the
 * RTCP of the peer comes from, and stay with that as long as it is heard: others behind that NAT draw no report to themselves.
 */
export class LegRtcp {
  readonly #parts: LegRtcpParts;
  readonly #session: RtcpSession;
  #muxed = false;
  #address = '';
  #port = 0;
  #learnt = false;
  #heardAt = 0;

  constructor(parts: LegRtcpParts) {
    this.#parts = parts;
    const cname = `${crypto.randomUUID()}@kallglot`;
    this.#session = new RtcpSession({ cname, wallOrigin: Date.now() - performance.now() });
  }

  configure(settings: MediaSettings): void {
    if (settings.moved || settings.rtcpMux !== this.#muxed) this.#learnt = false;
    this.#muxed = settings.rtcpMux;
    if (this.#learnt) return;
    const { remoteRtcpAddress: address, remoteRtcpPort: port } = settings;
    const reachable = port > 0 && port < 65_536 && !isUnspecified(address);
    this.#port = reachable ? port : 0;
    this.#address = sendable(address, this.#parts.family);
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

  /** Takes RTCP whose source is the peer's. @returns whether it could be read */
  hear(datagram: Uint8Array, from: RemoteInfo, now: number): boolean {
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

  #follow({ address, port }: RemoteInfo, now: number): void {
    const isSame = address === this.#address && port === this.#port;
    if (!isSame && !this.#parts.isTranslated()) return;
    if (!isSame && this.#learnt && now - this.#heardAt < SILENT_MS) return;
    this.#learnt = true;
    this.#heardAt = now;
    this.#address = address;
    this.#port = port;
  }

  #report(now: number, bye: boolean): void {
    const { stats, sent, received, send } = this.#parts;
    const packet = this.#session.report(now, sent(), received(), bye);
    if (this.#port === 0) return;
    send(packet, this.#port, this.#address, this.#muxed);
    stats.add(counter.rtcpSent, 1);
  }
}
