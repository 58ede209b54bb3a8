import type { Clock } from '../clock.ts';
import type { MediaPool } from '../media/media-port.ts';
import type { WaitingSound } from '../media/waiting-sound.ts';
import type { PipelineLinks } from '../pipeline/pipeline-link.ts';
import type { Session, SessionEvent } from '../sessions/session.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { Transcripts } from '../sessions/transcripts.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { BridgeParts } from './bridges.ts';
import { createKeyReports } from './key-reports.ts';
import { PendingChanges } from './pending-changes.ts';
import type { TrafficMeter } from './traffic-meter.ts';
import { TranscriptFeed, type WordListener } from './transcript-feed.ts';

export interface BridgeSurroundings {
  media: MediaPool;
  links: PipelineLinks;
  sessions: Sessions;
  transcripts: Transcripts;
  metrics: Metrics;
  meter: TrafficMeter;
  log: Log;
  clock: Clock;
  mediaTimeoutSeconds: number;
  rejoinSeconds: number;
  waitingSound: WaitingSound;
  mixOriginalDb: number | null;
  onFailure: 'passthrough' | 'hangup';
  maxCalls: number;
  /** Is told of all that is understood in a session, at once. */
  onWords: WordListener;
}

/** Joins the bridges to the records of sessions, the log and the metrics. */
export function createBridgeContext(parts: BridgeSurroundings): BridgeParts {
  const { media, links, sessions, transcripts, metrics, meter, log, clock } = parts;
  const changes = new PendingChanges(log);
  metrics.beforeScrape(() => metrics.store_sessions_waiting.set(changes.sessions));
  const apply = (session: Session, event: SessionEvent) =>
    void changes.keep(session.id, event.type, () => sessions.apply(session.id, event));
  return {
    media,
    links,
    log,
    now: () => clock.now(),
    mediaTimeoutSeconds: parts.mediaTimeoutSeconds,
    rejoinSeconds: parts.rejoinSeconds,
    waitingSound: parts.waitingSound,
    mixOriginalDb: parts.mixOriginalDb,
    onFailure: parts.onFailure,
    maxCalls: parts.maxCalls,
    hasEnded: async ({ id }) => (await sessions.find(id))?.status === 'ended',
    sessionStarted: (session, at) => apply(session, { type: 'started', at }),
    sessionCompleted: (session, at) => apply(session, { type: 'ended', at, reason: 'completed' }),
    legRinging: (leg) => {
      const at = clock.now();
      const record = leg.record();
      void changes.keep(leg.session.id, 'ringing', () => sessions.ringing(leg.describe(), record, at));
      log.info({ ...leg.logged, sip_status: record.sip_status }, 'callee rings');
    },
    legAnswered: (leg, translation) => {
      const at = clock.now();
      const record = leg.record();
      void changes.keep(leg.session.id, 'connected', () =>
        sessions.connected(leg.describe(), record, at, translation),
      );
      // How long a callee takes to answer says nothing of us.
      if (record.direction === 'inbound')
        metrics.setup_seconds.observe(Math.max(0, at - leg.facts.startedAt) / 1000);
      log.info({ ...leg.logged, role: leg.role }, 'call answered');
    },
    ...translationReports(parts, changes),
    keys: createKeyReports({ changes, sessions, metrics, log, clock }),
    keepRecord: async (leg, record, stats, translation) => {
      if (stats) meter.addLeg(leg, stats);
      metrics.ends_total.inc({ reason: record.reason });
      if (record.mos !== null) metrics.call_mos.observe(record.mos);
      if (record.mos !== null) metrics.call_jitter_seconds.observe(record.jitter_ms / 1000);
      if (record.round_trip_ms !== null) metrics.call_round_trip_seconds.observe(record.round_trip_ms / 1000);
      log.info(
        { session: record.session_id, leg: record.leg_id, call_id: record.sip_call_id, record },
        'call record',
      );
      await changes.keep(leg.session.id, 'record', () =>
        sessions.record(record, leg.describe(), translation),
      );
    },
    transcripts: new TranscriptFeed({ transcripts, changes, clock, log, metrics, onWords: parts.onWords }),
    written: (id) => changes.written(id),
    linkClosed: (link, stats, failure) => {
      meter.addLink(link, stats);
      if (failure) metrics.pipeline_failures_total.inc({ kind: failure, dialect: link.dialect });
    },
  };
}

/** Tells where a session's speech is not translated, and how long. */
function translationReports(
  { sessions, metrics, meter, log, clock }: BridgeSurroundings,
  changes: PendingChanges,
): Pick<BridgeParts, 'degraded' | 'outageOver'> {
  return {
    degraded: (session, outage) => {
      const at = clock.now();
      metrics.degradations_total.inc({ reason: outage.reason });
      void changes.keep(session.id, 'degraded', () => sessions.degraded(session, outage, at));
      log.warn({ session: session.id, ...outage }, 'there is no translation');
    },
    outageOver: (session, outage, at, recovered) => {
      meter.addOutage(outage, at);
      if (recovered === undefined) return;
      void changes.keep(session.id, 'recovered', () =>
        sessions.recovered(session, outage.since, at, recovered),
      );
      log.info({ session: session.id, outage_seconds: (at - outage.since) / 1000 }, 'translation is back');
    },
  };
}
