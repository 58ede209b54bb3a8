import type { Clock } from '../clock.ts';
import type { MediaPool } from '../media/media-port.ts';
import type { PipelineLinks } from '../pipeline/pipeline-link.ts';
import type { Session } from '../sessions/session.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { BridgeParts } from './bridges.ts';
import type { TrafficMeter } from './traffic-meter.ts';

export interface BridgeSurroundings {
  media: MediaPool;
  links: PipelineLinks;
  sessions: Sessions;
  metrics: Metrics;
  meter: TrafficMeter;
  log: Log;
  clock: Clock;
  mediaTimeoutSeconds: number;
  rejoinSeconds: number;
}

/** Joins the bridges to the records of sessions, the log and the metrics. */
export function createBridgeContext(parts: BridgeSurroundings): BridgeParts {
  const { media, links, sessions, metrics, meter, log, clock, mediaTimeoutSeconds, rejoinSeconds } = parts;
  const apply = (session: Session, event: Parameters<Sessions['apply']>[1]) => {
    sessions.apply(session.id, event).catch((error: unknown) => {
      log.error(
        { session: session.id, event: event.type, err: error },
        'a change of the session could not be kept',
      );
    });
  };
  return {
    media,
    links,
    log,
    now: () => clock.now(),
    mediaTimeoutSeconds,
    rejoinSeconds,
    hasEnded: async ({ id }) => (await sessions.find(id))?.status === 'ended',
    sessionStarted: (session, at) => apply(session, { type: 'started', at }),
    sessionCompleted: (session, at) => apply(session, { type: 'ended', at, reason: 'completed' }),
    legAnswered: (leg) => {
      metrics.setups_total.inc({ outcome: 'answered' });
      metrics.setup_seconds.observe((clock.now() - leg.facts.startedAt) / 1000);
      log.info(
        { session: leg.session.id, leg: leg.id, role: leg.role, call_id: leg.facts.callId },
        'call answered',
      );
    },
    keepRecord: async (leg, record, stats) => {
      if (stats) meter.addLeg(leg, stats);
      metrics.ends_total.inc({ reason: record.reason });
      if (record.answered_at === null) metrics.setups_total.inc({ outcome: 'ended' });
      log.info(
        { session: record.session_id, leg: record.leg_id, call_id: record.sip_call_id, record },
        'call record',
      );
      await sessions.record(record).catch((error: unknown) => {
        log.error({ leg: record.leg_id, err: error }, 'the call record could not be kept');
      });
    },
    linkClosed: (link, stats, failure) => {
      meter.addLink(link, stats);
      if (failure) metrics.pipeline_failures_total.inc({ kind: failure });
    },
  };
}
