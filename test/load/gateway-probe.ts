import { readdirSync } from 'node:fs';
import { usageOf } from './process-usage.ts';

/** What the gateway tells of itself at one moment, and what the system tells of its process. */
export interface GatewayProbe {
  /** Wall clock, ms. */
  at: number;
  rssBytes: number;
  heapBytes: number;
  openFiles: number;
  /** By series as scraped: `kallglot_rtp_lost_total`. */
  metrics: ReadonlyMap<string, number>;
}

/** By series as scraped. @throws Error when it does not tell */
export async function readMetrics(apiUrl: string): Promise<Map<string, number>> {
  const response = await fetch(`${apiUrl}/metrics`);
  const text = await response.text();
  if (!response.ok) throw new Error(`GET /metrics: ${response.status}`);
  const metrics = new Map<string, number>();
  for (const line of text.split('\n')) {
    const space = line.lastIndexOf(' ');
    if (space > 0 && !line.startsWith('#')) metrics.set(line.slice(0, space), Number(line.slice(space + 1)));
  }
  return metrics;
}

export async function probeGateway(apiUrl: string, pid: number): Promise<GatewayProbe> {
  const metrics = await readMetrics(apiUrl);
  return {
    at: Date.now(),
    rssBytes: usageOf(pid).rssBytes,
    heapBytes: metrics.get('nodejs_heap_size_used_bytes') ?? 0,
    openFiles: process.platform === 'linux' ? readdirSync(`/proc/${pid}/fd`).length : 0,
    metrics,
  };
}

type Probes = readonly [GatewayProbe, GatewayProbe];

/** By how much a series has grown from one probe to the other. */
export function grown([before, after]: Probes, series: string): number {
  return (after.metrics.get(series) ?? 0) - (before.metrics.get(series) ?? 0);
}

/**
 * A percentile of what the gateway has added to the audio between two probes, interpolated within its bucket as Prometheus
 * does. @param direction `to` or `from` the pipeline, or `between` two parties that hear each other directly @returns ms; NaN when nothing was counted
 */
export function addedLatency(probes: Probes, direction: 'to' | 'from' | 'between', share: number): number {
  const name = `kallglot_${direction === 'between' ? 'direct' : 'pipeline'}_latency_seconds`;
  const wanted = share * grown(probes, `${name}_count{direction="${direction}"}`);
  let [end, count] = [0, 0];
  for (const series of probes[1].metrics.keys()) {
    const le = series.startsWith(`${name}_bucket{`) && series.includes(`direction="${direction}"`);
    const next = le ? Number(/le="([^"]+)"/.exec(series)?.[1]) * 1000 : Number.NaN;
    if (Number.isNaN(next)) continue;
    const below = grown(probes, series);
    if (below >= wanted && wanted > 0) return end + ((next - end) * (wanted - count)) / (below - count);
    [end, count] = [next, below];
  }
  return wanted > 0 ? Number.POSITIVE_INFINITY : Number.NaN;
}
