import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, collectDefaultMetrics, Gauge, Histogram, type Metric, Registry } from 'prom-client';
import { LatencyMetric } from './latency-metric.ts';

/**
 * Every metric of the gateway, once: its name (with the prefix `kallglot_`), its kind, what it counts and its labels.
 * Label values come from closed sets only (codes, reasons, directions), so that the number of series is bounded.
 */
const table = {
  calls_active: { kind: 'gauge', help: 'Legs that are up or being set up now', labels: [] },
  sessions_live: { kind: 'gauge', help: 'Sessions with a bridge on this node', labels: [] },
  sessions_degraded: { kind: 'gauge', help: 'Of these, sessions without translation now', labels: [] },
  degradations_total: {
    kind: 'counter',
    help: 'How often a session lost its translation for more than a second: pipeline_lost, pipeline_not_ready',
    labels: ['reason'],
  },
  degraded_seconds_total: { kind: 'counter', help: 'How long sessions were without translation', labels: [] },
  setups_total: {
    kind: 'counter',
    help: 'INVITEs by outcome: answered, refused, challenged, canceled, lost',
    labels: ['outcome'],
  },
  dials_total: {
    kind: 'counter',
    help: 'Calls that were placed, by outcome: answered, or why the leg ended',
    labels: ['outcome'],
  },
  setup_seconds: { kind: 'histogram', help: 'From INVITE to 200', labels: [] },
  refusals_total: { kind: 'counter', help: 'Refused requests by code', labels: ['code'] },
  ends_total: { kind: 'counter', help: 'Ended legs by reason', labels: ['reason'] },
  bans_total: { kind: 'counter', help: 'Source addresses banned', labels: [] },
  media_ports: { kind: 'gauge', help: 'Pairs of RTP ports by state', labels: ['state'] },
  rtp_packets_total: { kind: 'counter', help: 'RTP packets of ended and live legs', labels: ['direction'] },
  rtp_lost_total: { kind: 'counter', help: 'RTP packets that never came', labels: [] },
  rtp_late_total: { kind: 'counter', help: 'RTP packets that came too late to be used', labels: [] },
  rtp_concealed_ms_total: {
    kind: 'counter',
    help: 'Speech made up for RTP packets that did not come in time, ms',
    labels: [],
  },
  rtp_dropped_total: { kind: 'counter', help: 'Packets refused, by reason', labels: ['reason'] },
  dtmf_total: {
    kind: 'counter',
    help: 'Key presses by direction (in, out) and method (rtp, info)',
    labels: ['direction', 'method'],
  },
  dtmf_dropped_total: {
    kind: 'counter',
    help: 'Key presses lost here: too many (rate), the store too slow for their webhooks (store), not sent (unsent)',
    labels: ['reason'],
  },
  rtp_socket_errors_total: {
    kind: 'counter',
    help: 'Errors of RTP sockets, such as packets that the peer refused',
    labels: [],
  },
  kernel_udp_dropped_total: {
    kind: 'counter',
    help: 'UDP packets that the kernel of this machine dropped: receive_buffer, send_buffer, no_port',
    labels: ['reason'],
  },
  pipeline_links: { kind: 'gauge', help: 'Open links to the pipeline', labels: [] },
  pipeline_failures_total: {
    kind: 'counter',
    help: 'Links that were not ready or were lost',
    labels: ['kind'],
  },
  call_mos: { kind: 'histogram', help: 'MOS of ended calls (E-model), as heard here', labels: [] },
  call_round_trip_seconds: { kind: 'histogram', help: 'Round trip of ended calls, by RTCP', labels: [] },
  call_jitter_seconds: { kind: 'histogram', help: 'Interarrival jitter of ended calls', labels: [] },
  pipeline_chunks_total: {
    kind: 'counter',
    help: 'Audio messages to and from the pipeline',
    labels: ['direction'],
  },
  pipeline_latency_seconds: {
    kind: 'latency',
    help: 'What the gateway adds: from the last packet of a chunk to the pipeline, from a message of it to the next packet',
    labels: ['direction'],
  },
  direct_latency_seconds: {
    kind: 'latency',
    help: 'What the gateway adds between two parties that hear each other directly: from a packet to the one that carries it on',
    labels: ['direction'],
  },
  direct_dropped_ms_total: {
    kind: 'counter',
    help: 'Direct audio that came too late or too much at once, ms',
    labels: [],
  },
  pipeline_dropped_ms_total: { kind: 'counter', help: 'Audio dropped at a bound, ms', labels: ['direction'] },
  pipeline_trimmed_ms_total: { kind: 'counter', help: 'Silence taken out of late playout, ms', labels: [] },
  pipeline_reconnects_total: {
    kind: 'counter',
    help: 'Links that were lost and are ready again',
    labels: [],
  },
  pipeline_down_seconds_total: { kind: 'counter', help: 'How long links were lost', labels: [] },
  pipeline_resent_ms_total: {
    kind: 'counter',
    help: 'Speech sent again after a link was lost, ms',
    labels: [],
  },
  pipeline_lost_ms_total: {
    kind: 'counter',
    help: 'Speech that the pipeline never got because the link was lost, ms',
    labels: [],
  },
  pipeline_invalid_frames_total: {
    kind: 'counter',
    help: 'Frames of the pipeline that were not usable',
    labels: [],
  },
  transcript_turns_total: {
    kind: 'counter',
    help: 'Turns that the pipeline understood, by outcome: kept, dropped',
    labels: ['outcome'],
  },
  engine_state: { kind: 'gauge', help: 'What the embedded SIP engine holds now', labels: ['kind'] },
  engine_load: {
    kind: 'gauge',
    help: 'How late the embedded SIP engine is, and how much less peers are asked to send',
    labels: ['kind'],
  },
  engine_events_total: {
    kind: 'counter',
    help: 'What the embedded SIP engine met, by kind',
    labels: ['kind'],
  },
  sip_tls_certificate_expires_seconds: {
    kind: 'gauge',
    help: 'When the TLS certificate in use expires, Unix time',
    labels: ['file'],
  },
  webhook_backlog: { kind: 'gauge', help: 'Webhook deliveries that are still to be made', labels: [] },
  webhook_attempts_total: {
    kind: 'counter',
    help: 'Webhook attempts by outcome: delivered, retry, failed',
    labels: ['outcome'],
  },
  http_requests_total: { kind: 'counter', help: 'REST requests by status', labels: ['status'] },
  event_loop_delay_seconds: {
    kind: 'gauge',
    help: 'Delay of the main event loop, p99 of the last scrape',
    labels: [],
  },
} as const satisfies Record<string, { kind: string; help: string; labels: readonly string[] }>;

/** To and from the pipeline, and between two parties. */
type Direction = 'to' | 'from' | 'between';
const directions: Readonly<Record<string, Direction[]>> = {
  pipeline_latency_seconds: ['to', 'from'],
  direct_latency_seconds: ['between'],
};

type Table = typeof table;
type Kinds = {
  counter: Counter<string>;
  gauge: Gauge<string>;
  histogram: Histogram<string>;
  latency: LatencyMetric<Direction>;
};
export type Metrics = { readonly [K in keyof Table]: Kinds[Table[K]['kind']] } & {
  /** Called at each scrape, before it is answered: counters that live elsewhere are brought in here. */
  beforeScrape(collect: () => void | Promise<void>): void;
  /** The Prometheus text format. */
  scrape(): Promise<string>;
  close(): void;
};

const setupBuckets = [0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];
/** Of the histograms that do not measure set-up times. */
const buckets: Readonly<Record<string, number[]>> = {
  call_mos: [1.5, 2, 2.5, 3, 3.5, 3.8, 4, 4.2, 4.3, 4.4],
  call_round_trip_seconds: [0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1],
  call_jitter_seconds: [0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2],
};

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const entries = Object.entries(table).map(([key, { kind, help, labels }]) => {
    const options = { name: `kallglot_${key}`, help, labelNames: [...labels], registers: [registry] };
    if (kind === 'latency') {
      const metric = new LatencyMetric(options.name, help, directions[key] ?? []);
      // All that the registry does with a metric is to ask it for its values.
      registry.registerMetric(metric as unknown as Metric);
      return [key, metric] as const;
    }
    if (kind === 'counter') return [key, new Counter(options)] as const;
    if (kind === 'gauge') return [key, new Gauge(options)] as const;
    return [key, new Histogram({ ...options, buckets: buckets[key] ?? setupBuckets })] as const;
  });
  const collectors: (() => void | Promise<void>)[] = [];
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const metrics = Object.fromEntries(entries) as unknown as { [K in keyof Table]: Kinds[Table[K]['kind']] };
  return {
    ...metrics,
    beforeScrape: (collect) => collectors.push(collect),
    scrape: async () => {
      // What cannot be asked now, such as an engine that is being started again, costs its own series only.
      await Promise.allSettled(collectors.map(async (collect) => collect()));
      metrics.event_loop_delay_seconds.set(Math.max(0, delay.percentile(99) / 1e9 - 0.01));
      delay.reset();
      return registry.metrics();
    },
    close: () => {
      delay.disable();
      registry.clear();
    },
  };
}
