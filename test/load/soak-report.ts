import type { GatewayProbe } from './gateway-probe.ts';
import type { Measured } from './rig.ts';
import { allLost, type Growth, growthsOf, rowsOf, type SoakRow } from './soak-figures.ts';
import type { SoakMoment, SoakResult } from './soak-job.ts';
import { aim, mib, ms, percent, table } from './table.ts';

/** A run shorter than this does not show what grows. */
const LEAST_MINUTES = 20;
/** At most so many lines of table. */
const LINES = 12;
/** What an hour may add: this share of the mean, or where that is less, this. */
const FLAT_SHARE = 0.05;
const FLAT_LEAST = { MiB: 4, '': 12 } as const;
/** Files that are open for a while for no call: connections of the API that nobody has closed yet. */
const SPARE_FILES = 4;
const GENERATOR_LATE_MS = 10;

const resultOf = (measured: Measured) => measured.result as SoakResult;
const threads = (values: Readonly<Record<string, number>>) => Object.values(values).map(mib).join(' / ');

/** What the gateway holds, over time. */
export function soakTable(measured: Measured): string {
  const rows = rowsOf(measured);
  const step = Math.max(1, Math.ceil(rows.length / LINES));
  const names = Object.keys(rows[0]?.heap ?? {}).join(' / ');
  const head = [
    ...['minutes', 'calls up', 'short calls over', 'failed', 'packets sent', 'lost', 'RSS MiB'],
    ...[`heap ${names} MiB`, `external ${names} MiB`, 'open files', 'generator MiB'],
  ];
  const cells = rows
    .filter((_, i) => (rows.length - 1 - i) % step === 0)
    .map(({ minutes, callsUp, moment, lost, probe, rssBytes, heap, external }) => [
      ...[minutes.toFixed(minutes < 5 ? 1 : 0), `${callsUp}`, `${moment.succeeded}`, `${moment.failed}`],
      ...[`${moment.streams.sent}`, `${lost}`, mib(rssBytes)],
      ...[threads(heap), threads(external), `${probe.openFiles}`, mib(moment.rssBytes)],
    ]);
  return `${table(head, cells)}\n`;
}

/** How it sounded, and what it cost. */
export function soakSummary(measured: Measured): string {
  const { setUp, moments, retransmitted, failures } = resultOf(measured);
  const { streams } = moments.at(-1) as SoakMoment;
  const { jitter } = streams;
  const lines = [
    `Jitter p50 / p99 / p99.9: ${[jitter.p50, jitter.p99, jitter.p999].map(ms).join(' / ')} ms; gaps over 30 ms: ${percent(streams.lateShare)}`,
    `Short calls, INVITE to 200: p50 ${ms(setUp.p50)}, p99 ${ms(setUp.p99)}, longest ${ms(setUp.max)} ms; requests sent again: ${retransmitted}`,
    `CPU: ${percent(measured.cpuMs / measured.tookMs)} of a core, waited for one for ${percent(measured.waitedMs / (measured.waitedMs + measured.cpuMs))} of that time`,
    ...Object.entries(failures).map(([what, times]) => `Failed: ${what}, ${times} times`),
  ];
  return `${lines.join('\n')}\n`;
}

interface Verdict {
  what: string;
  met: boolean;
}

/** @returns the verdicts as text, and whether all aims are met */
export function soakVerdicts(measured: Measured, calls: number): { text: string; met: boolean } {
  const rows = rowsOf(measured);
  const isLong = (rows.at(-1)?.minutes ?? 0) >= LEAST_MINUTES - 0.5;
  const verdicts = [...callVerdicts(measured, calls), ...(isLong ? growthVerdicts(rows) : [])];
  const lines = verdicts.map(({ what, met }) => aim(what, met));
  if (!isLong) lines.push(`- what grows in an hour: not judged by less than ${LEAST_MINUTES} minutes`);
  return { text: `Aims:\n${lines.join('\n')}`, met: verdicts.every(({ met }) => met) };
}

function callVerdicts(measured: Measured, calls: number): Verdict[] {
  const { held, moments } = resultOf(measured);
  const { tried, succeeded, streams } = moments.at(-1) as SoakMoment;
  const lost = allLost(measured);
  const { probes } = measured;
  const [before, after] = [probes[0], probes.at(-1)] as [GatewayProbe, GatewayProbe];
  return [
    { what: `all calls stay up (${held} of ${calls})`, met: held === calls },
    { what: `no short call fails (${succeeded} of ${tried})`, met: succeeded === tried },
    { what: `no packet is lost (${lost} of ${streams.sent + streams.received})`, met: lost === 0 },
    {
      what: `as many files open after the last call as before the first (${after.openFiles}, ${before.openFiles})`,
      met: after.openFiles <= before.openFiles + SPARE_FILES,
    },
    {
      what: `the generator is on time (late p99 ${ms(streams.generatorLate.p99)} ms)`,
      met: streams.generatorLate.p99 < GENERATOR_LATE_MS,
    },
  ];
}

function growthVerdicts(rows: readonly SoakRow[]): Verdict[] {
  return growthsOf(rows).map((growth) => ({ what: growthText(growth), met: isFlat(growth) }));
}

function growthText({ what, unit, trend }: Growth): string {
  const sign = trend.slope < 0 ? '' : '+';
  return `${what} stays as it is (${trend.mean.toFixed(1)} ${unit}, ${sign}${trend.slope.toFixed(1)} ± ${trend.error.toFixed(1)} an hour)`.replace(
    ' ,',
    ',',
  );
}

const isFlat = ({ unit, trend }: Growth): boolean =>
  trend.slope <= Math.max(FLAT_LEAST[unit], trend.mean * FLAT_SHARE);
