import { type GatewayProbe, grown } from './gateway-probe.ts';
import type { Measured } from './rig.ts';
import type { SoakMoment, SoakResult } from './soak-job.ts';
import { type Trend, trendOf } from './trend.ts';

/** What one process has at a moment of the soak; what a garbage collector lets swing is at its least of some minutes. */
export interface SoakRow {
  minutes: number;
  moment: SoakMoment;
  probe: GatewayProbe;
  callsUp: number;
  lost: number;
  rssBytes: number;
  /** By thread, bytes. */
  heap: Readonly<Record<string, number>>;
  external: Readonly<Record<string, number>>;
}

/** A growing quantity: its mean, and what it gains in an hour. */
export interface Growth {
  what: string;
  unit: 'MiB' | '';
  trend: Trend;
}

/** The first part of a run is warming up: buffers and caches grow to their bounds. */
const WARM_SHARE = 0.25;
/** All threads are made to collect their garbage so often, ms: the least in that time is what the process holds on to. */
export const COLLECTED_MS = 5 * 60_000;
const MIB = 2 ** 20;

/** Packets that are missing in what the phones or the gateway got, could not be sent, or were refused, since the interval began. */
function lostBy({ probes }: Measured, probe: GatewayProbe, { streams }: SoakMoment): number {
  const pair = [probes[1] as GatewayProbe, probe] as const;
  const refused = [...probe.metrics.keys()].filter((series) =>
    series.startsWith('kallglot_rtp_dropped_total'),
  );
  const gateway = ['kallglot_rtp_lost_total', ...refused].reduce(
    (sum, series) => sum + grown(pair, series),
    0,
  );
  return streams.lost + streams.failed + gateway;
}

/** Probes are: before the first call, at the beginning of the interval, one for each mark, at the end, after the last call. */
export function rowsOf(measured: Measured): SoakRow[] {
  const { probes, watched } = measured;
  const { moments } = measured.result as SoakResult;
  const began = probes[1] as GatewayProbe;
  return moments.slice(0, -1).map((moment, i) => {
    const probe = probes[i + 2] as GatewayProbe;
    const least = (of: 'heapBytes' | 'externalBytes' | 'rssBytes') =>
      Object.fromEntries(
        Object.entries(watched).map(([thread, { memory }]) => {
          const since = memory.filter(({ at }) => at > probe.at - COLLECTED_MS && at <= probe.at);
          return [thread, Math.min(...since.map((one) => one[of]))];
        }),
      );
    return {
      minutes: (probe.at - began.at) / 60_000,
      moment,
      probe,
      callsUp: probe.metrics.get('kallglot_calls_active') ?? 0,
      lost: lostBy(measured, probe, moment),
      rssBytes: Math.min(...Object.values(least('rssBytes'))),
      heap: least('heapBytes'),
      external: least('externalBytes'),
    };
  });
}

/** In all of the run: also what was on its way at the end. */
export function allLost(measured: Measured): number {
  const { moments } = measured.result as SoakResult;
  return lostBy(measured, measured.probes.at(-1) as GatewayProbe, moments.at(-1) as SoakMoment);
}

/** By least squares over what comes after the warming up, of moments that share no minute. @param rows one for each of at least 20 minutes */
export function growthsOf(rows: readonly SoakRow[]): Growth[] {
  const apart = COLLECTED_MS / 60_000;
  const warm = rows
    .slice(Math.ceil(rows.length * WARM_SHARE))
    .filter((_, i, { length }) => (length - 1 - i) % apart === 0);
  const growth = (what: string, unit: Growth['unit'], of: (row: SoakRow) => number): Growth => {
    const { mean, slope, error } = trendOf(warm.map((row) => ({ at: row.minutes / 60, value: of(row) })));
    const scale = unit === 'MiB' ? MIB : 1;
    return { what, unit, trend: { mean: mean / scale, slope: slope / scale, error: error / scale } };
  };
  const threads = Object.keys(warm[0]?.heap ?? {});
  return [
    growth('RSS', 'MiB', ({ rssBytes }) => rssBytes),
    ...threads.flatMap((thread) => [
      growth(`heap of ${thread}`, 'MiB', ({ heap }) => heap[thread] ?? 0),
      growth(`external memory of ${thread}`, 'MiB', ({ external }) => external[thread] ?? 0),
    ]),
    growth('open files', '', ({ probe }) => probe.openFiles),
  ];
}
