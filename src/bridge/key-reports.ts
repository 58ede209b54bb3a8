import type { Clock } from '../clock.ts';
import type { DtmfMethod, KeyPress } from '../dtmf.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Leg } from './leg.ts';
import type { PendingChanges } from './pending-changes.ts';

/** With more changes of a session waiting for a lost store, key presses are not kept for its webhooks. */
const WAITING_MOST = 200;

/** Where the key presses of legs are told, beside the pipeline. */
export interface KeyReports {
  /** A party has pressed a key. */
  pressed(leg: Leg, press: KeyPress): void;
  /** A party presses more keys than anybody can. */
  dropped(): void;
  /** Keys were pressed at a party's end, or could not be. */
  sent(count: number, method: DtmfMethod): void;
  notSent(leg: Leg, count: number): void;
}

interface KeyReportParts {
  changes: PendingChanges;
  sessions: Sessions;
  metrics: Metrics;
  log: Log;
  clock: Clock;
}

/** Webhooks get the digits, metrics and log only how many there were. */
export function createKeyReports({ changes, sessions, metrics, log, clock }: KeyReportParts): KeyReports {
  const { dtmf_total, dtmf_dropped_total } = metrics;
  return {
    pressed: (leg, press) => {
      dtmf_total.inc({ direction: 'in', method: press.method });
      const { id } = leg.session;
      if (changes.waiting(id) >= WAITING_MOST) {
        dtmf_dropped_total.inc({ reason: 'store' });
        return;
      }
      const at = clock.now();
      void changes.keep(id, 'dtmf', () => sessions.keyPressed(leg.describe(), press, at));
    },
    dropped: () => dtmf_dropped_total.inc({ reason: 'rate' }),
    sent: (count, method) => dtmf_total.inc({ direction: 'out', method }, count),
    notSent: (leg, count) => {
      dtmf_dropped_total.inc({ reason: 'unsent' }, count);
      log.warn({ ...leg.logged, keys: count }, 'the peer does not take key presses');
    },
  };
}
