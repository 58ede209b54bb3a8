import { dialectNames } from '../config/pipeline.ts';
import { selfTestKinds } from '../config/self-test.ts';
import { type EndReason, ends, type RefusalCode, refusals } from '../errors.ts';
import { carriers } from '../providers.ts';

/**
 * Every metric of the gateway, once: its name (with the prefix `kallglot_`), its kind, what it counts and its labels.
 * `docker/prometheus/metrics.md` is made from this table.
 *
 * Each label names the values that it can have, so that nothing from outside becomes a series; a text in their place tells
 * what bounds them where they are no fixed words.
 */
type Labels = Readonly<Record<string, readonly string[] | string>>;
type Unlabelled = Readonly<Record<never, never>>;

export interface MetricRow {
  kind: 'counter' | 'gauge' | 'histogram' | 'latency';
  help: string;
  labels: Labels;
  /** Of a histogram. */
  buckets?: readonly number[];
}

const counter = <const L extends Labels = Unlabelled>(help: string, labels: L = {} as L) =>
  ({ kind: 'counter', help, labels }) as const;
const gauge = <const L extends Labels = Unlabelled>(help: string, labels: L = {} as L) =>
  ({ kind: 'gauge', help, labels }) as const;
const histogram = (help: string, buckets: readonly number[]) =>
  ({ kind: 'histogram', help, labels: {}, buckets }) as const;
/** A histogram with the buckets of `latency-histogram.ts`, which takes many at once; at most one label. */
const latency = <const L extends Labels = Unlabelled>(help: string, labels: L = {} as L) =>
  ({ kind: 'latency', help, labels }) as const;

const SHORT = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];
const SET_UP = [0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];
const JITTER = [0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2];
const ROUND_TRIP = [0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1];
const MOS = [1.5, 2, 2.5, 3, 3.5, 3.8, 4, 4.2, 4.3, 4.4];

const reasons = Object.keys(ends) as EndReason[];
const codes = Object.keys(refusals) as RefusalCode[];
const resources = [
  'calls',
  'rtp_ports',
  'event_loop_delay_ms',
  'engine_delay_ms',
  'media_delay_ms',
  'media_busy_percent',
  'memory_percent',
] as const;
const WORKER = 'media-1 to the number of `media.workers`';

export const metricTable = {
  // Calls
  calls_active: gauge('Legs that are up or being set up now'),
  calls: gauge('The same by state and direction; a leg on hold is not counted as up', {
    state: ['setting_up', 'up', 'held'],
    direction: ['inbound', 'outbound'],
  }),
  sessions_live: gauge('Sessions with a bridge on this node'),
  sessions_degraded: gauge('Of these, sessions without translation now'),
  degradations_total: counter('How often a session lost its translation for more than a second', {
    reason: ['pipeline_lost', 'pipeline_not_ready'],
  }),
  degraded_seconds_total: counter('How long sessions were without translation'),
  setups_total: counter('INVITEs by outcome', {
    outcome: ['answered', 'refused', 'challenged', 'canceled', 'lost'],
  }),
  setup_seconds: histogram('From INVITE to 200', SET_UP),
  refusals_total: counter('Refused requests by code', { code: codes }),
  carrier_webhooks_total: counter('Calls that carriers told of; why they were refused is in refusals_total', {
    carrier: carriers,
    outcome: ['answered', 'refused'],
  }),
  dials_total: counter('Calls that were placed: answered, or why the leg ended', {
    outcome: ['answered', ...reasons],
  }),
  ends_total: counter('Ended legs by reason', { reason: reasons }),
  self_tests_total: counter('Calls to self-test numbers that were answered, by what they found', {
    kind: selfTestKinds,
    result: ['ok', 'warning', 'failed'],
  }),
  bans_total: counter('Source addresses banned'),

  // Audio of the calls
  call_mos: histogram('MOS of ended calls (E-model), as heard here', MOS),
  call_round_trip_seconds: histogram('Round trip of ended calls, by RTCP', ROUND_TRIP),
  call_jitter_seconds: histogram('Interarrival jitter of ended calls', JITTER),
  rtp_packets_total: counter('RTP packets of ended and live legs', { direction: ['in', 'out'] }),
  rtp_bytes_total: counter('What they carried, without their headers', { direction: ['in', 'out'] }),
  rtp_lost_total: counter('RTP packets that never came'),
  rtp_peer_lost_total: counter('RTP packets of ours that peers lost, as they tell by RTCP'),
  rtp_late_total: counter('RTP packets that came too late to be used'),
  rtp_concealed_ms_total: counter('Speech made up for RTP packets that did not come in time, ms'),
  rtp_dropped_total: counter(
    'Packets refused: from an address that the source lock does not allow (source), no RTP or an unknown payload type (invalid), not by the SRTP key (unauthentic), a second time (replayed), more than was read (overrun)',
    { reason: ['source', 'invalid', 'unauthentic', 'replayed', 'overrun', 'unread'] },
  ),
  rtp_socket_errors_total: counter('Errors of RTP sockets, such as packets that the peer refused'),
  kernel_udp_dropped_total: counter('UDP packets that the kernel of this machine dropped', {
    reason: ['receive_buffer', 'send_buffer', 'no_port'],
  }),
  dtmf_total: counter('Key presses', { direction: ['in', 'out'], method: ['rtp', 'info', 'stream'] }),
  dtmf_dropped_total: counter(
    'Key presses lost here: too many (rate), the store too slow for their webhooks (store), not sent (unsent)',
    { reason: ['rate', 'store', 'unsent'] },
  ),
  direct_latency_seconds: latency(
    'What the gateway adds between two parties that hear each other directly: from a packet to the one that carries it on',
    { direction: ['between'] },
  ),
  direct_dropped_ms_total: counter('Direct audio that came too late or too much at once, ms'),

  // Streaming clients
  streams_open: gauge('Streaming clients connected now; carrier: a stream that has not begun yet', {
    client: ['kallglot', 'twilio', 'telnyx', 'carrier'],
  }),
  stream_refusals_total: counter('Streaming clients turned away', { code: 'error codes of the REST API' }),
  stream_messages_total: counter(
    'Messages of streaming clients; unknown, invalid and repeated ones were dropped',
    {
      kind: [
        ...['audio', 'start', 'digit', 'ping', 'end', 'mark', 'stop', 'complaint'],
        ...['ignored', 'unknown', 'invalid', 'repeated'],
      ] as const,
    },
  ),
  stream_dropped_ms_total: counter('Audio that streaming clients did not take in time, ms'),
  stream_clears_total: counter(
    'How often a carrier was told to drop audio that had piled up on its way or there',
  ),

  // Media workers
  media_ports: gauge('Pairs of RTP ports', { state: ['used', 'free'] }),
  media_workers: gauge('Media workers that run'),
  media_worker_legs: gauge('Legs by media worker', { worker: WORKER }),
  media_worker_busy_seconds_total: counter(
    'How long media workers were busy; its rate is their load, 0 to 1',
    {
      worker: WORKER,
    },
  ),
  media_worker_deaths_total: counter('Media workers that ended by themselves, and were started again'),
  media_tick_late_seconds: latency('How late media workers came to send what was due'),
  media_ticks_skipped_total: counter('Ticks of 5 ms that were never sent for, after a stall of over 100 ms'),

  // The link to the pipeline
  pipeline_links: gauge('Links to the pipeline'),
  pipeline_link_states: gauge('The same by state; down: it was ready, was lost, and is being opened again', {
    state: ['connecting', 'up', 'down'],
  }),
  pipeline_dialect_links: gauge('The same by what the pipeline speaks', { dialect: dialectNames }),
  pipeline_failures_total: counter('Links that were not ready or were lost', {
    kind: ['unavailable', 'lost'],
    dialect: dialectNames,
  }),
  pipeline_errors_total: counter('Errors that the pipeline told of, after which the link went on', {
    dialect: dialectNames,
  }),
  pipeline_reconnects_total: counter('Links that were lost and are ready again'),
  pipeline_down_seconds_total: counter('How long links were lost'),
  pipeline_ping_seconds: gauge('Round trip of the last ping, of the slowest link'),
  pipeline_latency_seconds: latency(
    'What the gateway adds: from the last packet of a chunk to the pipeline, from a message of it to the next packet',
    { direction: ['to', 'from'] },
  ),
  pipeline_chunks_total: counter('Audio messages to and from the pipeline', { direction: ['to', 'from'] }),
  pipeline_bytes_total: counter('Bytes of messages to and from the pipeline', { direction: ['to', 'from'] }),
  pipeline_queued_seconds: gauge('Audio of the pipeline that waits to be played, over all legs'),
  pipeline_trimmed_ms_total: counter('Silence taken out of late playout, ms'),
  pipeline_dropped_ms_total: counter('Audio dropped at a bound, ms', { direction: ['to', 'from'] }),
  pipeline_resent_ms_total: counter('Speech sent again after a link was lost, ms'),
  pipeline_lost_ms_total: counter('Speech that the pipeline never got because the link was lost, ms'),
  pipeline_invalid_frames_total: counter('Frames of the pipeline that were not usable'),
  transcript_turns_total: counter('Turns that the pipeline understood', { outcome: ['kept', 'dropped'] }),

  // Whether there is room for new calls
  capacity_used: gauge('How much of a resource is in use, or how high a load is', { resource: resources }),
  capacity_limit: gauge('From where on no new calls are taken', { resource: resources }),
  capacity_exhausted: gauge('1 while no new calls are taken because of it', { resource: resources }),

  // The SIP engine
  engine_up: gauge('1 while a SIP engine is there and connected'),
  engine_links: gauge('Links to SIP engines, the embedded one or drachtio-servers', {
    state: ['up', 'down'],
  }),
  engine_connects_total: counter('Links to SIP engines that came up, first or again'),
  engine_state: gauge('What the embedded SIP engine holds now', { kind: 'names of its counters' }),
  engine_load: gauge(
    'How late the embedded SIP engine is (delay_ms), and how much less peers are asked to send (loss_percent)',
    { kind: 'names of its counters' },
  ),
  engine_events_total: counter('What the embedded SIP engine met', { kind: 'names of its counters' }),
  sip_tls_certificate_expires_seconds: gauge('When the TLS certificate in use expires, Unix time', {
    file: 'its path in the configuration',
  }),

  // Everything else
  store_up: gauge('1 while the store can be reached'),
  store_writes_waiting: gauge('Changes that are being written, or wait to be'),
  store_write_seconds: histogram('From a change to its being on disk', SHORT),
  store_failures_total: counter('Changes that failed because the store could not be reached'),
  store_sessions_waiting: gauge('Sessions of which changes wait for the store'),
  webhook_backlog: gauge('Webhook deliveries that are still to be made'),
  webhook_attempts_total: counter('Webhook attempts', { outcome: ['delivered', 'retry', 'failed'] }),
  http_connections_cut_total: counter(
    'Connections of the REST API that were closed because all places were taken',
  ),
  http_requests_total: counter('REST requests by status', { status: 'statuses of HTTP that are answered' }),
  http_request_seconds: histogram('From a REST request to its answer', SHORT),
  event_loop_delay_seconds: histogram('How late the main thread is, measured every 20 ms', SHORT),
};
