import type { CallTransportName } from './call-transport.ts';
import type { SipSetUpsResult } from './load-job.ts';
import { cpuOf, threadNames } from './process-usage.ts';
import type { Measured } from './rig.ts';
import { aim, mib, ms, percent, table } from './table.ts';

export interface SipRow {
  subject: 'signalling' | 'gateway';
  transport: CallTransportName;
  perSecond: number;
  measured: Measured;
}

const names = { signalling: 'signalling alone', gateway: 'whole calls' } as const;
/** The aims of the design: set-ups per second, CPU of one, and p99 where it has one. */
const aimsOf = {
  signalling: { perSecond: 500, cpuMs: 1, p99Ms: 20 },
  gateway: { perSecond: 200, cpuMs: 2.5, p99Ms: undefined },
} as const;

const resultOf = ({ measured }: SipRow) => measured.result as SipSetUpsResult;

/** CPU time of the threads with such a name, ms per call. */
function cpuPerCall({ measured }: SipRow, threads: RegExp): number {
  const { tried } = measured.result as SipSetUpsResult;
  return cpuOf(measured.threads, threads) / tried;
}

const allPerCall = (row: SipRow): number => row.measured.cpuMs / resultOf(row).tried;

export function sipTable(rows: readonly SipRow[]): string {
  const lines = rows.map((row) => {
    const { setUp, tried, succeeded, retransmitted, generatorLate } = resultOf(row);
    const { watched, tookMs, cpuMs, waitedMs, rssBytes, idleRssBytes } = row.measured;
    const [engine, application] = [threadNames.engine, threadNames.main].map((threads) =>
      cpuPerCall(row, threads),
    ) as [number, number];
    const all = allPerCall(row);
    return [
      `${names[row.subject]}, ${row.transport}`,
      (tried / (tookMs / 1000)).toFixed(0),
      `${succeeded} of ${tried}`,
      `${retransmitted}`,
      [setUp.p50, setUp.p95, setUp.p99, setUp.max].map(ms).join(' / '),
      ms(generatorLate.p99),
      all.toFixed(2),
      [engine, application, all - engine - application].map((cpu) => cpu.toFixed(2)).join(' / '),
      `${ms(watched['sip-engine']?.loopDelayMs ?? 0)} / ${ms(watched.main?.loopDelayMs ?? 0)}`,
      percent(cpuMs / tookMs),
      percent(waitedMs / (waitedMs + cpuMs)),
      `${mib(idleRssBytes)} to ${mib(rssBytes)}`,
    ];
  });
  const head = [
    'what',
    'per s',
    'succeeded',
    'sent again',
    'INVITE to 200: p50 / p95 / p99 / max ms',
    'generator late p99 ms',
    'CPU ms per call',
    'of it engine / application / rest',
    'worst loop delay engine / application ms',
    'CPU of a core',
    'waited for a core',
    'RSS MiB',
  ];
  const failures = rows.flatMap((row) =>
    Object.entries(resultOf(row).failures).map(
      ([what, count]) => `Failed, ${names[row.subject]}, ${row.transport}: ${what}, ${count} times`,
    ),
  );
  return `${[table(head, lines), ...failures].join('\n')}\n`;
}

export function sipAims(rows: readonly SipRow[]): string {
  const lines = rows.flatMap((row) => {
    const wanted = aimsOf[row.subject];
    if (row.perSecond < wanted.perSecond) return [];
    const { tried, succeeded, setUp } = resultOf(row);
    const who = `${names[row.subject]}, ${row.transport}`;
    return [
      aim(`${who}: ${row.perSecond} per s without a failure`, succeeded === tried),
      aim(`${who}: under ${wanted.cpuMs} ms of CPU per call`, allPerCall(row) < wanted.cpuMs),
      ...(wanted.p99Ms === undefined
        ? []
        : [aim(`${who}: p99 under ${wanted.p99Ms} ms`, setUp.p99 < wanted.p99Ms)]),
    ];
  });
  return lines.length === 0 ? '' : `Aims:\n${lines.join('\n')}\n`;
}

/** RSS while so many calls were made, and after a rest in which all transactions have ended. */
export function memoryTable(calls: number, { idleRssBytes, markedRssBytes }: Measured): string {
  const marks = markedRssBytes.slice(1, -1);
  const at = marks.map((_, i) => `${Math.round((calls * (i + 1)) / (marks.length + 1))} calls`);
  const head = ['RSS MiB', 'idle', ...at, `${calls} calls and a rest`];
  return `${table(head, [['', mib(idleRssBytes), ...marks.map(mib), mib(markedRssBytes.at(-1) ?? 0)]])}\n`;
}
