import { addedLatency } from './gateway-probe.ts';
import type { BridgeResult, StreamsResult } from './load-job.ts';
import { cpuOf, threadNames } from './process-usage.ts';
import type { Measured } from './rig.ts';
import { ms, percent, table } from './table.ts';

/** One kind of pipeline with one kind of party. */
export interface DialectRow {
  dialect: string;
  legs: string;
  measured: Measured;
}

const us = (value: number): string => value.toFixed(0);

/** What a session of each kind costs, and what the gateway adds to the audio. */
export function dialectsTable(rows: readonly DialectRow[]): string {
  const [first] = rows;
  const head = [
    ...['pipeline', 'parties', 'sessions held', 'parties that hear the translation'],
    ...['CPU us per session per s', 'beside the first', 'of it main / media / rest', 'waited for a core'],
    ...['added to the pipeline p50 / p99 ms', 'from it p50 / p99 ms'],
  ];
  return `${table(
    head,
    rows.map((row) => cellsOf(row, first as DialectRow)),
  )}\n`;
}

function cellsOf({ dialect, legs, measured }: DialectRow, first: DialectRow): string[] {
  const { held, translated } = measured.result as BridgeResult | StreamsResult;
  const { cpuMs, waitedMs, threads } = measured;
  const [main, media] = [cpuOf(threads, threadNames.main), cpuOf(threads, threadNames.media)];
  return [
    ...[dialect, legs, `${held}`, `${translated} of ${2 * held}`, us(perSession(measured, cpuMs))],
    (perSession(measured, cpuMs) / perSession(first.measured, first.measured.cpuMs)).toFixed(2),
    [main, media, cpuMs - main - media].map((spent) => us(perSession(measured, spent))).join(' / '),
    percent(waitedMs / (waitedMs + cpuMs)),
    ...(['to', 'from'] as const).map((direction) => latencyOf(measured, direction)),
  ];
}

const perSession = ({ tookMs, result }: Measured, spentMs: number): number =>
  (spentMs * 1e6) / tookMs / (result as BridgeResult | StreamsResult).held;

function latencyOf({ probes }: Measured, direction: 'to' | 'from'): string {
  const [begins, over] = probes;
  if (begins === undefined || over === undefined) return '–';
  const values = [0.5, 0.99].map((share) => addedLatency([begins, over], direction, share));
  return values.some(Number.isNaN) ? '–' : values.map(ms).join(' / ');
}
