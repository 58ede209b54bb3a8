import type { SippResult } from '../support/sipp.ts';
import type { KitCall } from './kit-calls.ts';
import { ms, table } from './table.ts';

type Metrics = ReadonlyMap<string, number>;

/** What SIPp saw. */
export function sippTable({ stats, successful, failed }: SippResult): string {
  const reasons = Object.entries(stats)
    .filter(([name, count]) => /^Failed(?!Call\(C\)).*\(C\)$/.test(name) && Number(count) > 0)
    .map(([name, count]) => `${name.replace('(C)', '')} ${count}`);
  const head = [
    'calls',
    'succeeded',
    'failed',
    'why',
    'requests sent again',
    'INVITE to 200: mean, deviation ms',
  ];
  const cells = [
    ...[stats['OutgoingCall(C)'] ?? '0', `${successful}`, `${failed}`, reasons.join(', ')],
    stats['Retransmissions(C)'] ?? '0',
    `${millis(stats['ResponseTimeinvite(C)'])}, ${millis(stats['ResponseTimeinviteStDev(C)'])}`,
  ];
  return table(head, [cells]);
}

/** `00:00:00:074000`: hours, minutes, seconds, us. */
function millis(text = ''): string {
  const [hours = 0, minutes = 0, seconds = 0, us = 0] = text.split(':').map(Number);
  return ms(((hours * 60 + minutes) * 60 + seconds) * 1000 + us / 1000);
}

/** What the gateway itself says of these calls, by their records. */
export function callsTable(calls: readonly KitCall[]): string {
  const sum = (of: (quality: KitCall['quality']) => number) =>
    `${calls.reduce((total, { quality }) => total + of(quality), 0)}`;
  const spread = (of: (call: KitCall) => number | null | undefined, digits = 1) => {
    const values = calls
      .map(of)
      .filter((value) => value !== null && value !== undefined)
      .sort((a, b) => a - b);
    if (values.length === 0) return '–';
    return [0.01, 0.5, 0.99]
      .map((share) => (values[Math.round(share * (values.length - 1))] as number).toFixed(digits))
      .join(' / ');
  };
  const reasons = Map.groupBy(calls, ({ status, reason }) => reason ?? status);
  return table(
    ['of the gateway’s records', ''],
    [
      ['calls by their end', [...reasons].map(([reason, { length }]) => `${reason} ${length}`).join(', ')],
      ['packets received', sum((quality) => quality.packets_received)],
      ['lost', sum((quality) => quality.packets_lost)],
      ['too late', sum((quality) => quality.packets_late)],
      ['refused', sum((quality) => quality.packets_dropped)],
      ['MOS, p1 / p50 / p99 of the calls', spread(({ quality }) => quality.mos, 2)],
      ['jitter ms', spread(({ quality }) => quality.jitter_ms)],
      ['set-up ms', spread(({ setup_ms }) => setup_ms, 0)],
      ['added to the pipeline, p99 of each call, ms', spread(({ quality }) => quality.to_pipeline_ms?.p99)],
      ['added from it', spread(({ quality }) => quality.from_pipeline_ms?.p99)],
    ],
  );
}

/** Counters that tell of quality, without their labels. */
const told: Readonly<Record<string, string>> = {
  kallglot_setups_total: 'INVITEs',
  kallglot_refusals_total: 'refused',
  kallglot_ends_total: 'calls ended',
  kallglot_rtp_packets_total: 'RTP packets',
  kallglot_rtp_lost_total: 'lost',
  kallglot_rtp_late_total: 'too late',
  kallglot_rtp_concealed_ms_total: 'made up, ms',
  kallglot_rtp_dropped_total: 'refused packets',
  kallglot_pipeline_dropped_ms_total: 'dropped on the way to or from the pipeline, ms',
  kallglot_kernel_udp_dropped_total: 'dropped by its machine (all UDP)',
};

/** By how much the gateway's counters have grown, whoever else it served meanwhile. */
export function metricsTable(before: Metrics, after: Metrics): string {
  const rows = [...after].flatMap(([series, value]) => {
    const [name = '', labels = ''] = series.split(/(?=\{)/);
    const grown = value - (before.get(series) ?? 0);
    return name in told && grown > 0 ? [[`${told[name]} ${labels}`.trim(), `${Math.round(grown)}`]] : [];
  });
  return table(['of the gateway’s metrics, all its calls in this time', ''], rows);
}
