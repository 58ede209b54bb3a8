import { addedLatency, grown } from './gateway-probe.ts';
import type { MediaCallsResult } from './load-job.ts';
import type { Floor } from './media-floor.ts';
import { cpuOf, threadNames } from './process-usage.ts';
import type { Measured } from './rig.ts';

const FRAME_MS = 20;

/** What a run of calls comes to; CPU is in us per call per second, times are ms. */
const names = [
  'held',
  'triedAgain',
  'sent',
  'lost',
  'unchanged',
  'cpu',
  'cpuMain',
  'cpuMedia',
  'cpuEngine',
  'floorCpu',
  'floorLost',
  'ratio',
  'waited',
  'jitterP50',
  'jitterP99',
  'jitterP999',
  'floorJitterP99',
  'late30',
  'floorLate30',
  'latePackets',
  'concealedFrames',
  'toP50',
  'toP99',
  'fromP50',
  'fromP99',
  'kibPerCall',
  'gcMainLongest',
  'gcMainShare',
  'gcMediaLongest',
  'gcMediaShare',
  'generatorLateP99',
  'generatorCpu',
  'echoCpu',
] as const;
export type Figures = Record<(typeof names)[number], number>;

/** @param floor the same packets through the minimal program, as close in time as can be */
export function figuresOf(measured: Measured, floor: Floor): Figures {
  const { held, triedAgain, streams } = measured.result as MediaCallsResult;
  const { tookMs, cpuMs, echoCpuMs, threads, waitedMs, probes } = measured;
  const perCall = (ms: number, calls = held, took = tookMs) => (ms * 1e6) / took / calls;
  const pair = [probes[0], probes.at(-1)] as [(typeof probes)[number], (typeof probes)[number]];
  const floorCpu = perCall(floor.cpuMs, floor.calls, floor.tookMs);
  const gc = gcOf(measured);
  return {
    held,
    triedAgain,
    sent: streams.sent,
    lost: streams.lost + streams.failed + grown(pair, 'kallglot_rtp_lost_total'),
    unchanged: streams.returned > 0 ? streams.returned / streams.sent : Number.NaN,
    cpu: perCall(cpuMs),
    cpuMain: perCall(cpuOf(threads, threadNames.main)),
    cpuMedia: perCall(cpuOf(threads, threadNames.media)),
    cpuEngine: perCall(cpuOf(threads, threadNames.engine)),
    floorCpu,
    floorLost: floor.streams.lost + floor.streams.failed,
    ratio: perCall(cpuMs) / floorCpu,
    waited: waitedMs / (waitedMs + cpuMs),
    jitterP50: streams.jitter.p50,
    jitterP99: streams.jitter.p99,
    jitterP999: streams.jitter.p999,
    floorJitterP99: floor.streams.jitter.p99,
    late30: streams.lateShare,
    floorLate30: floor.streams.lateShare,
    latePackets: grown(pair, 'kallglot_rtp_late_total'),
    concealedFrames: grown(pair, 'kallglot_rtp_concealed_ms_total') / FRAME_MS,
    toP50: addedLatency(pair, 'to', 0.5),
    toP99: addedLatency(pair, 'to', 0.99),
    fromP50: addedLatency(pair, 'from', 0.5),
    fromP99: addedLatency(pair, 'from', 0.99),
    kibPerCall: (measured.rssBytes - measured.idleRssBytes) / 1024 / held,
    ...gc,
    generatorLateP99: streams.generatorLate.p99,
    generatorCpu: streams.generatorCpuMs / tookMs,
    echoCpu: echoCpuMs / tookMs,
  };
}

function gcOf({ watched, tookMs }: Measured) {
  const media = Object.entries(watched).flatMap(([name, figures]) =>
    name.startsWith('media-') ? [figures] : [],
  );
  return {
    gcMainLongest: watched.main?.gcLongestMs ?? 0,
    gcMainShare: (watched.main?.gcTotalMs ?? 0) / tookMs,
    gcMediaLongest: Math.max(0, ...media.map(({ gcLongestMs }) => gcLongestMs)),
    gcMediaShare: media.reduce((sum, { gcTotalMs }) => sum + gcTotalMs, 0) / tookMs,
  };
}

/** Each figure's own median, of the runs that have it (NaN: not one has). @param runs at least one */
export function medianOf(runs: readonly Figures[]): Figures {
  const median = (name: keyof Figures): number => {
    const values = Float64Array.from(
      runs.map((run) => run[name]).filter((value) => !Number.isNaN(value)),
    ).sort();
    if (values.length === 0) return Number.NaN;
    const middle = (values.length - 1) / 2;
    return ((values[Math.floor(middle)] as number) + (values[Math.ceil(middle)] as number)) / 2;
  };
  return Object.fromEntries(names.map((name) => [name, median(name)])) as Figures;
}
