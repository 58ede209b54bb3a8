import { type GatewayProbe, grown } from './gateway-probe.ts';
import type { HeldPhase, OfferedCalls, OverloadResult } from './overload-job.ts';
import { inWords } from './paced-set-ups.ts';
import type { Measured } from './rig.ts';
import { aim, ms, percent, table } from './table.ts';

const names = ['before', 'overload', 'after'] as const;
const FRAME_MS = 20;
const AIM_LATE = 0.01;
const AIM_MISSING = 0.01;

const resultOf = (measured: Measured) => measured.result as OverloadResult;

/** The gateway as it was at both ends of a phase. */
const pairOf = ({ probes }: Measured, phase: number) =>
  [probes[phase], probes[phase + 1]] as [GatewayProbe, GatewayProbe];

/** Missing in what the phones or the gateway got, or could not be sent. */
const lostIn = (measured: Measured, phase: number, { streams }: HeldPhase): number =>
  streams.lost + streams.failed + grown(pairOf(measured, phase), 'kallglot_rtp_lost_total');

/** Share of the packets that were due from the gateway, one for each that it got, and that it never sent: they have no number. */
const missingIn = ({ streams }: HeldPhase): number =>
  streams.sent === 0 ? 0 : Math.max(0, (streams.sent - streams.lost - streams.received) / streams.sent);

/** Calls that were refused, by the status of the answer; and those that neither succeeded nor were. */
export function refusalsOf({ tried, succeeded, failures }: OfferedCalls): {
  refused: Readonly<Record<string, number>>;
  neither: number;
} {
  const refused = Object.fromEntries(
    Object.entries(failures).flatMap(([what, count]) => {
      const status = /^INVITE: (\d{3})$/.exec(what)?.[1];
      return status === undefined ? [] : [[status, count]];
    }),
  );
  const all = Object.values(refused).reduce((sum, count) => sum + count, 0);
  return { refused, neither: tried - succeeded - all };
}

/** How the held calls sounded in each phase, and what became of the short ones. */
export function overloadTable(measured: Measured): string {
  const { phases, up, offered } = resultOf(measured);
  const head = [
    ...[
      'phase',
      's',
      'calls up',
      'packets sent / came',
      'lost',
      'never sent',
      'jitter p50 / p99 ms',
      'gaps > 30 ms',
    ],
    ...['late packets', 'concealed frames', 'generator late p99 ms', 'CPU of a core'],
    ...['short calls offered', 'succeeded', 'refused', 'neither', 'INVITE to final answer p50 / p99 ms'],
  ];
  const rows = phases.map((phase, i) => {
    const { seconds, held, streams } = phase;
    const pair = pairOf(measured, i);
    return [
      ...[
        names[i] as string,
        seconds.toFixed(1),
        `${held} of ${up}`,
        `${streams.sent} / ${streams.received}`,
      ],
      `${lostIn(measured, i, phase)}`,
      percent(missingIn(phase)),
      [streams.jitter.p50, streams.jitter.p99].map(ms).join(' / '),
      percent(streams.lateShare),
      `${grown(pair, 'kallglot_rtp_late_total')}`,
      (grown(pair, 'kallglot_rtp_concealed_ms_total') / FRAME_MS).toFixed(0),
      ms(streams.generatorLate.p99),
      percent((1000 * grown(pair, 'process_cpu_seconds_total')) / (pair[1].at - pair[0].at)),
      ...(names[i] === 'overload' ? offeredCells(offered) : Array(5).fill('')),
    ];
  });
  return `${table(head, rows)}\n`;
}

function offeredCells(offered: OfferedCalls): string[] {
  const { refused, neither } = refusalsOf(offered);
  const { tried, succeeded, answer } = offered;
  const codes = Object.entries(refused).map(([status, count]) => `${count} by ${status}`);
  const answered = [answer.p50, answer.p99].map(ms).join(' / ');
  return [`${tried}`, `${succeeded}`, codes.join(', ') || '0', `${neither}`, answered];
}

/** What refuses new calls at a moment. */
function exhaustedIn(probe: GatewayProbe | undefined): string {
  const found = [...(probe?.metrics ?? [])].flatMap(([series, value]) => {
    const resource = /^kallglot_capacity_exhausted\{resource="(\w+)"\}$/.exec(series)?.[1];
    return resource !== undefined && value > 0 ? [resource] : [];
  });
  return found.join(', ') || 'nothing';
}

/** What the table has no room for. */
export function overloadNotes(measured: Measured): string {
  const { offered, again } = resultOf(measured);
  const { refused, neither } = refusalsOf(offered);
  const others = Object.entries(offered.failures).filter(
    ([what]) => refused[what.replace('INVITE: ', '')] === undefined,
  );
  const taken = again.ms === undefined ? 'not in time' : `${(again.ms / 1000).toFixed(1)} s`;
  const tries = inWords(again.failures);
  return [
    `Short calls: requests sent again ${offered.retransmitted}; the generator was late by ${ms(offered.generatorLate.p99)} ms (p99)`,
    ...(neither > 0 ? [`Neither answered nor refused: ${inWords(Object.fromEntries(others))}`] : []),
    `After the last of them until a new call was taken and hung up: ${taken}${tries && ` (before: ${tries})`}`,
    `Exhausted before / at the end of the overload / after: ${[1, 2, 3].map((i) => exhaustedIn(measured.probes[i])).join(' / ')}`,
    '',
  ].join('\n');
}

/** @param calls that were to be held */
export function overloadAims(measured: Measured, calls: number): string {
  const { phases, again } = resultOf(measured);
  const held = phases[2].held;
  const [, under] = phases;
  const lost = phases.reduce((sum, phase, i) => sum + lostIn(measured, i, phase), 0);
  return [
    'Aims:',
    aim(`all held calls stay up (${held} of ${calls})`, held === calls),
    aim(`none of their packets is lost (${lost})`, lost === 0),
    aim(`gaps over 30 ms at most ${percent(AIM_LATE)} while overloaded`, under.streams.lateShare <= AIM_LATE),
    aim(
      `at most ${percent(AIM_MISSING)} of their packets never sent while overloaded`,
      missingIn(under) <= AIM_MISSING,
    ),
    aim('a new call is taken within 10 s afterwards', again.ms !== undefined),
    '',
  ].join('\n');
}
