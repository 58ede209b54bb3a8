import type { HeldCallsResult, SetUpsResult } from './load-job.ts';
import { cpuOf, threadNames } from './process-usage.ts';
import type { Measured } from './rig.ts';
import { aim, mib, ms, percent, table } from './table.ts';

/** The aims of the design, for 500 calls and for set-ups. */
const AIM_CALLS = 500;
const AIM_US_PER_CALL = 1000;
const AIM_JITTER_MS = 10;
const AIM_SET_UPS = 150;

type Held = Measured & { result: HeldCallsResult };
type SetUps = Measured & { result: SetUpsResult };

/** CPU time of the gateway, us per call per second. */
const usPerCall = ({ cpuMs, tookMs, result }: Held) => (cpuMs * 1e6) / tookMs / result.held;
const kibPerCall = ({ rssBytes, idleRssBytes, result }: Held) =>
  (rssBytes - idleRssBytes) / 1024 / result.held;
const waitedShare = ({ waitedMs, cpuMs }: Measured) => waitedMs / (waitedMs + cpuMs);

export function heldCallsTable(rows: readonly Measured[]): string {
  return `${table(
    [
      'calls held',
      'packets sent',
      'returned',
      'silence between',
      'CPU us per call per s',
      'of it main / media',
      'CPU of a core',
      'waited for a core',
      'RSS MiB',
      'RSS KiB per call',
      'jitter p50 / p99 / p99.9 ms',
      'gaps > 30 ms',
      'there and back p50 / p99 ms',
      'generator late p99 ms',
    ],
    (rows as Held[]).map((row) => {
      const { result } = row;
      const { jitter, delay } = result;
      return [
        `${result.held}`,
        `${result.sent}`,
        returned(result),
        `${result.silence}`,
        usPerCall(row).toFixed(0),
        byThread(row),
        percent(row.cpuMs / row.tookMs),
        percent(waitedShare(row)),
        mib(row.rssBytes),
        kibPerCall(row).toFixed(0),
        `${ms(jitter.p50)} / ${ms(jitter.p99)} / ${ms(jitter.p999)}`,
        percent(result.lateShare),
        `${ms(delay.p50)} / ${ms(delay.p99)}`,
        ms(result.generatorLate.p99),
      ];
    }),
  )}\n`;
}

/** The main thread has the links to the pipeline, the media workers have RTP. */
function byThread(row: Held): string {
  const [main, media] = [cpuOf(row.threads, threadNames.main), cpuOf(row.threads, threadNames.media)];
  if (main + media === 0) return 'not told';
  return [main, media].map((cpuMs) => usPerCall({ ...row, cpuMs }).toFixed(0)).join(' / ');
}

function returned({ sent, returned, duplicated, damaged }: HeldCallsResult): string {
  const lost = sent - returned;
  const faults = [
    lost > 0 && `${lost} lost`,
    duplicated > 0 && `${duplicated} twice`,
    damaged > 0 && `${damaged} damaged`,
  ].filter(Boolean);
  return faults.length === 0 ? 'all' : faults.join(', ');
}

export function setUpsTable(measured: Measured): string {
  const row = measured as SetUps;
  const { result } = row;
  const rate = result.tried / (row.tookMs / 1000);
  const lines = table(
    [
      'set-ups',
      'per s',
      'succeeded',
      'set-up p50 / p99 / max ms',
      'sent again',
      'CPU ms per set-up',
      'CPU of a core',
      'waited for a core',
      'RSS MiB',
    ],
    [
      [
        `${result.tried}`,
        rate.toFixed(0),
        `${result.succeeded}`,
        `${ms(result.setUp.p50)} / ${ms(result.setUp.p99)} / ${ms(result.setUp.max)}`,
        `${result.retransmitted}`,
        (row.cpuMs / result.tried).toFixed(2),
        percent(row.cpuMs / row.tookMs),
        percent(waitedShare(row)),
        mib(row.rssBytes),
      ],
    ],
  );
  const failures = Object.entries(result.failures).map(([what, count]) => `Failed: ${what}, ${count} times`);
  return `${[lines, ...failures].join('\n')}\n`;
}

/** What the design aims at, and whether this run got there. */
export function aims(
  rows: readonly Measured[],
  setUps: { wanted: number; measured: Measured } | undefined,
): string {
  const lines: string[] = [];
  const row = (rows as Held[]).find(({ result }) => result.held === AIM_CALLS);
  if (row) {
    const { sent, returned, jitter } = row.result;
    lines.push(
      aim(`${AIM_US_PER_CALL} us per call per s`, usPerCall(row) <= AIM_US_PER_CALL),
      aim('no packet lost', sent === returned),
      aim(`p99 jitter under ${AIM_JITTER_MS} ms`, jitter.p99 < AIM_JITTER_MS),
    );
  }
  if (setUps && setUps.wanted >= AIM_SET_UPS) {
    const { tried, succeeded } = (setUps.measured as SetUps).result;
    lines.push(aim(`${setUps.wanted} set-ups per s without a failure`, succeeded === tried));
  }
  return lines.length === 0 ? '' : `Aims (calls: at ${AIM_CALLS}):\n${lines.join('\n')}`;
}
