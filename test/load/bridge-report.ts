import { addedLatency, type GatewayProbe, grown } from './gateway-probe.ts';
import type { BridgeResult } from './load-job.ts';
import { cpuOf, threadNames } from './process-usage.ts';
import type { Measured } from './rig.ts';
import { aim, ms, percent, table } from './table.ts';

/** What a message of speech holds, ms: `pipeline.chunk_ms` unless it is set. */
const CHUNK_MS = 100;
/** The aims of the design. */
const AIM_PASSTHROUGH_MS = 1200;
const AIM_LOSSLESS_OUTAGE_MS = 5000;
/** Nobody hears the other before the link has been down for so long. */
const PASSTHROUGH_AFTER_MS = 1000;

const resultOf = (measured: Measured): BridgeResult => measured.result as BridgeResult;
const us = (value: number): string => value.toFixed(0);

/** What a session costs while it is translated. */
export function costTable(measured: Measured): string {
  const { held, heldAfter, translated, streams } = resultOf(measured);
  const { cpuMs, tookMs, waitedMs, rssBytes, idleRssBytes, threads } = measured;
  const perSession = (spentMs: number) => us((spentMs * 1e6) / tookMs / held);
  const [main, media] = [cpuOf(threads, threadNames.main), cpuOf(threads, threadNames.media)];
  const sides = Object.values(streams);
  const worst = (of: (side: (typeof sides)[number]) => number) => Math.max(...sides.map(of));
  const lost = sides.reduce((sum, side) => sum + side.lost, 0);
  return `${table(
    [
      ...['sessions held', 'after the restarts', 'parties that hear the translation', 'packets lost'],
      ...['CPU us per session per s', 'of it main / media / rest', 'CPU of a core', 'waited for a core'],
      ...['RSS KiB per session', 'jitter p50 / p99 ms', 'gaps > 30 ms', 'generator late p99 ms'],
    ],
    [
      [
        ...[`${held}`, `${heldAfter}`, `${translated} of ${2 * held}`, `${lost}`],
        ...[perSession(cpuMs), [main, media, cpuMs - main - media].map(perSession).join(' / ')],
        ...[percent(cpuMs / tookMs), percent(waitedMs / (waitedMs + cpuMs))],
        us((rssBytes - idleRssBytes) / 1024 / held),
        `${ms(worst(({ jitter }) => jitter.p50))} / ${ms(worst(({ jitter }) => jitter.p99))}`,
        percent(worst(({ lateShare }) => lateShare)),
        ms(worst(({ generatorLate }) => generatorLate.p99)),
      ],
    ],
  )}\n`;
}

/** What the parties hear of each restart, and what the pipeline gets of what they say meanwhile. */
export function outagesTable(measured: Measured): string {
  const { outages, speech, heldAfter } = resultOf(measured);
  if (outages.length === 0) return '';
  const times = ({ parties, p50, p99, max }: (typeof outages)[number]['back']) =>
    parties === 0 ? ['0', '–'] : [`${parties}`, `${ms(p50)} / ${ms(p99)} / ${ms(max)}`];
  const rows = outages.map((outage, i) => {
    const { lost = 0, twice = 0 } = speech[i + 1] ?? {};
    const [direct = '', directTimes = ''] = times(outage.passthrough);
    const [back = '', backTimes = ''] = times(outage.back);
    return [
      ...[`${i + 1}`, `${outage.ms}`, direct, directTimes, back, backTimes, `${outage.wrong}`],
      ...[`${lost * CHUNK_MS}`, us((twice * CHUNK_MS) / (2 * heldAfter))],
    ];
  });
  const head = [
    ...['restart', 'outage ms', 'parties that heard the other', 'after p50 / p99 / max ms'],
    ...['heard the translation again', 'after the pipeline was back p50 / p99 / max ms', 'heard itself'],
    ...['speech lost ms, all parties', 'came twice, ms per party'],
  ];
  return `${table(head, rows)}\n\n${gatewayOf(measured.probes)}\n`;
}

/** What the gateway tells of the restarts itself. */
function gatewayOf(probes: readonly GatewayProbe[]): string {
  const pair = probes.slice(-2) as [GatewayProbe, GatewayProbe];
  const direct = [0.5, 0.99].map((share) => addedLatency(pair, 'between', share));
  const links = grown(pair, 'kallglot_pipeline_reconnects_total');
  const cells = [
    // Nobody heard the other when the outage was short.
    direct.some(Number.isNaN) ? '–' : direct.map(ms).join(' / '),
    us(grown(pair, 'kallglot_direct_dropped_ms_total')),
    us(links),
    us((grown(pair, 'kallglot_pipeline_down_seconds_total') * 1000) / links),
    us(grown(pair, 'kallglot_pipeline_resent_ms_total')),
    us(grown(pair, 'kallglot_pipeline_lost_ms_total')),
  ];
  const head = [
    ...['the gateway: added on the direct path p50 / p99 ms', 'dropped on it ms', 'links up again'],
    ...['after ms (mean)', 'speech resent ms', 'lost, or taken by the killed process, ms'],
  ];
  return table(head, [cells]);
}

export function bridgeAims(measured: Measured, outageMs: number): string {
  const { held, heldAfter, translated, speech, outages } = resultOf(measured);
  const lines = [
    aim('every party hears the translation', translated === 2 * held),
    aim('no speech lost while the pipeline is there', speech[0]?.lost === 0),
    aim('no session ends', held === heldAfter),
    ...(outages.length > 0 ? restartAims(resultOf(measured), outageMs) : []),
  ];
  return `Aims (a link is down for ${PASSTHROUGH_AFTER_MS} ms before the parties hear each other):\n${lines.join('\n')}`;
}

function restartAims({ held, outages, speech }: BridgeResult, outageMs: number): string[] {
  const isAll = ({ parties }: { parties: number }) => parties === 2 * held;
  const isLossless = speech.slice(1).every(({ lost }) => lost === 0);
  const isDirect = outages.every(
    ({ passthrough }) => isAll(passthrough) && passthrough.max < AIM_PASSTHROUGH_MS,
  );
  const isRight = outages.every(({ wrong }) => wrong === 0);
  const lines = [aim('nobody hears itself', isRight)];
  if (outageMs <= AIM_LOSSLESS_OUTAGE_MS) lines.push(aim('no speech lost by a restart', isLossless));
  if (outageMs < AIM_PASSTHROUGH_MS) return lines;
  const isBack = outages.every(({ back }) => isAll(back));
  return [
    ...lines,
    aim(`every party hears the other within ${AIM_PASSTHROUGH_MS} ms of a loss`, isDirect),
    aim('every party hears the translation again', isBack),
  ];
}
