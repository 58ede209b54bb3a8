import type { MediaKind } from './load-job.ts';
import { type Figures, medianOf } from './media-figures.ts';
import { aim, ms, percent, table } from './table.ts';

/** A step: so many calls, as often as there were pairs with the program in C. */
export interface MediaRow {
  media: MediaKind;
  /** As many were wanted. */
  calls: number;
  /** At least one. */
  runs: readonly Figures[];
}

/** The aims of the design: G.711, at its largest. */
const AIM_CALLS = 1000;
const AIM_US_PER_CALL = 900;
const AIM_RATIO = 3.5;
const AIM_JITTER_MS = 10;
const AIM_LATE = 0.001;
const AIM_KIB_PER_CALL = 205;
const AIM_ADDED_MS = 5;
const PACKET_MS = 20;

const words: Readonly<Record<MediaKind, string>> = { PCMU: 'G.711', opus: 'Opus', srtp: 'G.711, SRTP' };
const us = (value: number): string => value.toFixed(0);
const two = (value: number): string => value.toFixed(2);

/** How many calls were held of those that were wanted, also in the run with the fewest. */
function name({ calls, media, runs }: MediaRow): string {
  const held = medianOf(runs).held;
  const least = Math.min(...runs.map((run) => run.held));
  return `${us(held)}${least < held ? ` (at least ${least})` : ''} of ${calls}, ${words[media]}`;
}

/** A median of zero is not to hide a run that lost some. */
function lost({ runs }: MediaRow): string {
  const median = medianOf(runs).lost;
  const most = mostLost(runs);
  return `${us(median)}${most > median ? ` (at most ${most})` : ''}`;
}

const mostLost = (runs: readonly Figures[]): number => Math.max(...runs.map((run) => run.lost));

/** What a run came to, in a line. */
export const runInWords = (calls: number, f: Figures): string =>
  [
    `${f.held} of ${calls} calls held`,
    `${us(f.lost)} packets lost`,
    `${us(f.cpu)} us per call per s, ${f.ratio.toFixed(1)} times the C program`,
    `jitter p99 ${two(f.jitterP99)} ms`,
  ].join(', ');

/**
 * What it costs, beside the minimal program in C, as medians of the runs. `lost` is what the sequence numbers miss, both
 * ways; what comes back unchanged is known again where packets are passed on whole, until speech has been moved within
 * them (a late chunk).
 */
export function costTable(rows: readonly MediaRow[]): string {
  const head = [
    ...[
      'calls held',
      'runs',
      'set-ups tried again',
      'packets sent',
      'lost',
      'lost by the C program',
      'back unchanged',
      'CPU us per call per s',
      'of it main / media / engine',
      'C program',
    ],
    ...['ratio', 'waited for a core', 'RSS KiB per call', 'GC main: longest ms, share', 'GC media'],
    ...['generator: late p99 ms, of a core', 'echo pipeline, of a core'],
  ];
  return `${table(
    head,
    rows.map((row) => {
      const f = medianOf(row.runs);
      return [
        ...[name(row), `${row.runs.length}`, us(f.triedAgain)],
        ...[
          us(f.sent),
          lost(row),
          us(f.floorLost),
          Number.isNaN(f.unchanged) ? '' : percent(f.unchanged),
          us(f.cpu),
        ],
        [f.cpuMain, f.cpuMedia, f.cpuEngine].map(us).join(' / '),
        ...[us(f.floorCpu), f.ratio.toFixed(1), percent(f.waited), us(f.kibPerCall)],
        `${ms(f.gcMainLongest)}, ${percent(f.gcMainShare)}`,
        `${ms(f.gcMediaLongest)}, ${percent(f.gcMediaShare)}`,
        ...[`${ms(f.generatorLateP99)}, ${percent(f.generatorCpu)}`, percent(f.echoCpu)],
      ];
    }),
  )}\n`;
}

/** How it sounds: what comes back, and what the gateway says that it adds. */
export function pacingTable(rows: readonly MediaRow[]): string {
  const head = [
    ...['calls held', 'jitter p50 / p99 / p99.9 ms', 'C program p99', 'gaps > 30 ms', 'C program'],
    ...[
      'late packets',
      'concealed frames',
      'to the pipeline p50 / p99 ms',
      'from it p50 / p99 ms, packet included',
    ],
  ];
  return `${table(
    head,
    rows.map((row) => {
      const f = medianOf(row.runs);
      return [
        name(row),
        [f.jitterP50, f.jitterP99, f.jitterP999].map(two).join(' / '),
        ...[two(f.floorJitterP99), percent(f.late30), percent(f.floorLate30)],
        ...[us(f.latePackets), us(f.concealedFrames)],
        ...[`${ms(f.toP50)} / ${ms(f.toP99)}`, `${ms(f.fromP50)} / ${ms(f.fromP99)}`],
      ];
    }),
  )}\n`;
}

export function mediaAims(rows: readonly MediaRow[]): string {
  const lines = rows
    .filter(({ media, calls }) => media === 'PCMU' && calls >= AIM_CALLS)
    .map(({ calls, runs }) => ({ calls, runs, f: medianOf(runs) }))
    .flatMap(({ calls, runs, f }) => [
      aim(
        'all calls held',
        runs.every(({ held }) => held === calls),
      ),
      aim('no packet lost', mostLost(runs) === 0),
      aim(`p99 jitter under ${AIM_JITTER_MS} ms`, f.jitterP99 < AIM_JITTER_MS),
      aim(`gaps over 30 ms at most ${percent(AIM_LATE)}`, f.late30 <= AIM_LATE),
      aim(`at most ${AIM_US_PER_CALL} us per call per s`, f.cpu <= AIM_US_PER_CALL),
      aim(`at most ${AIM_RATIO} times the C program`, f.ratio <= AIM_RATIO),
      aim(`under ${AIM_KIB_PER_CALL} KiB per call`, f.kibPerCall < AIM_KIB_PER_CALL),
      aim(`p99 to the pipeline under ${AIM_ADDED_MS} ms`, f.toP99 < AIM_ADDED_MS),
      aim(
        `p99 from the pipeline under ${AIM_ADDED_MS} ms beside the packet`,
        f.fromP99 < PACKET_MS + AIM_ADDED_MS,
      ),
    ]);
  return lines.length === 0 ? '' : `Aims at ${AIM_CALLS} calls of G.711:\n${lines.join('\n')}\n`;
}
