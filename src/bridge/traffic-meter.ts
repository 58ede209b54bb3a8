import type { MediaStats, MediaWorkerStats } from '../media/media-port.ts';
import type { LinkStats, PipelineLink } from '../pipeline/pipeline-link.ts';
import type { Outage } from '../sessions/translation.ts';
import type { Metrics } from '../telemetry/metrics.ts';

/**
 * Brings the counters of legs and links into the metrics: what has been added since the last time, so that a leg counts
 * while it is up and is not counted again when it ends.
 */
export class TrafficMeter {
  readonly #metrics: Metrics;
  readonly #legs = new WeakMap<object, MediaStats>();
  readonly #links = new WeakMap<object, LinkStats>();
  readonly #outages = new WeakMap<Outage, number>();
  /** By name. */
  readonly #workers = new Map<string, MediaWorkerStats>();
  #deaths = 0;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  /** @param leg whose counters these are; any object that lives as long as the leg */
  addLeg(leg: object, stats: MediaStats): void {
    const before = this.#legs.get(leg);
    this.#legs.set(leg, stats);
    const grown = (key: NumericKey<MediaStats>) => Math.max(0, stats[key] - (before?.[key] ?? 0));
    const { rtp_packets_total, rtp_bytes_total, rtp_lost_total, rtp_peer_lost_total } = this.#metrics;
    const { rtp_late_total, rtp_dropped_total } = this.#metrics;
    this.#metrics.rtp_concealed_ms_total.inc(grown('concealedMs'));
    rtp_packets_total.inc({ direction: 'in' }, grown('packetsReceived'));
    rtp_packets_total.inc({ direction: 'out' }, grown('packetsSent'));
    rtp_bytes_total.inc({ direction: 'in' }, grown('bytesReceived'));
    rtp_bytes_total.inc({ direction: 'out' }, grown('bytesSent'));
    rtp_lost_total.inc(grown('packetsLost'));
    rtp_peer_lost_total.inc(grown('peerPacketsLost'));
    rtp_late_total.inc(grown('packetsLate'));
    rtp_dropped_total.inc({ reason: 'invalid' }, grown('packetsDroppedInvalid'));
    rtp_dropped_total.inc({ reason: 'source' }, grown('packetsDroppedBySource'));
    rtp_dropped_total.inc({ reason: 'unauthentic' }, grown('packetsDroppedUnauthentic'));
    rtp_dropped_total.inc({ reason: 'replayed' }, grown('packetsDroppedReplayed'));
    this.#metrics.dtmf_dropped_total.inc({ reason: 'rate' }, grown('digitsDropped'));
    rtp_dropped_total.inc({ reason: 'overrun' }, grown('packetsDroppedOverrun'));
    rtp_dropped_total.inc({ reason: 'unread' }, grown('packetsDroppedUnread'));
    this.#metrics.pipeline_latency_seconds.add('to', stats.toPipeline, before?.toPipeline);
    this.#metrics.pipeline_latency_seconds.add('from', stats.fromPipeline, before?.fromPipeline);
    this.#metrics.direct_latency_seconds.add('between', stats.direct, before?.direct);
    this.#metrics.direct_dropped_ms_total.inc(grown('directDroppedMs'));
    this.#metrics.rtp_socket_errors_total.inc(grown('socketErrors'));
  }

  /** @param link whose counters these are */
  addLink(link: Pick<PipelineLink, 'dialect'>, stats: LinkStats): void {
    const before = this.#links.get(link);
    this.#links.set(link, stats);
    const grown = (key: NumericKey<LinkStats>) => Math.max(0, stats[key] - (before?.[key] ?? 0));
    const metrics = this.#metrics;
    metrics.pipeline_chunks_total.inc({ direction: 'to' }, grown('chunksSent'));
    metrics.pipeline_chunks_total.inc({ direction: 'from' }, grown('outputsReceived'));
    metrics.pipeline_bytes_total.inc({ direction: 'to' }, grown('bytesSent'));
    metrics.pipeline_bytes_total.inc({ direction: 'from' }, grown('bytesReceived'));
    metrics.pipeline_dropped_ms_total.inc({ direction: 'to' }, grown('inputDroppedMs'));
    metrics.pipeline_dropped_ms_total.inc({ direction: 'from' }, grown('outputDroppedMs'));
    metrics.pipeline_trimmed_ms_total.inc(grown('trimmedMs'));
    metrics.pipeline_reconnects_total.inc(grown('reconnects'));
    metrics.pipeline_down_seconds_total.inc(grown('downMs') / 1000);
    metrics.pipeline_resent_ms_total.inc(grown('resentMs'));
    metrics.pipeline_lost_ms_total.inc(grown('lostMs'));
    metrics.pipeline_invalid_frames_total.inc(grown('invalidFrames'));
    metrics.pipeline_errors_total.inc({ dialect: link.dialect }, grown('errors'));
  }

  /** @param deaths workers that have ended by themselves so far */
  addWorkers(workers: readonly MediaWorkerStats[], deaths: number): void {
    const metrics = this.#metrics;
    for (const worker of workers) {
      const last = this.#workers.get(worker.name);
      const before = last?.startedAt === worker.startedAt ? last : undefined;
      this.#workers.set(worker.name, worker);
      const { name, legs, busyMs, late, skippedTicks } = worker;
      metrics.media_worker_legs.set({ worker: name }, legs);
      metrics.media_worker_busy_seconds_total.inc({ worker: name }, (busyMs - (before?.busyMs ?? 0)) / 1000);
      metrics.media_tick_late_seconds.add('', late, before?.late);
      metrics.media_ticks_skipped_total.inc(skippedTicks - (before?.skippedTicks ?? 0));
    }
    metrics.media_workers.set(workers.length);
    metrics.media_worker_deaths_total.inc(deaths - this.#deaths);
    this.#deaths = deaths;
  }

  /** @param until wall clock, ms: how long it has lasted, or that it is over */
  addOutage(outage: Outage, until: number): void {
    const counted = this.#outages.get(outage) ?? outage.since;
    if (until <= counted) return;
    this.#outages.set(outage, until);
    this.#metrics.degraded_seconds_total.inc((until - counted) / 1000);
  }
}

type NumericKey<T> = { [K in keyof T]: T[K] extends number ? K : never }[keyof T];
