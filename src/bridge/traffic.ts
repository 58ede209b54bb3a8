import { setImmediate } from 'node:timers/promises';
import { dialectNames } from '../config/pipeline.ts';
import type { SessionId } from '../ids.ts';
import type { MediaPool } from '../media/media-port.ts';
import type { LinkState, PipelineLink } from '../pipeline/pipeline-link.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Bridge } from './bridge.ts';
import type { Bridges } from './bridges.ts';
import type { Leg } from './leg.ts';
import type { TrafficMeter } from './traffic-meter.ts';

/** What is read in one go, 1 to 2 ms: speech waits for the main thread meanwhile. */
const AT_ONCE = 16;

async function inTurns<Item>(items: readonly Item[], read: (item: Item) => void): Promise<void> {
  for (const [i, item] of items.entries()) {
    if (i > 0 && i % AT_ONCE === 0) await setImmediate();
    read(item);
  }
}

/** Brings what is up now into the metrics, at each scrape. */
export async function collectTraffic(
  bridges: Bridges,
  media: MediaPool,
  metrics: Metrics,
  meter: TrafficMeter,
): Promise<void> {
  const legsOf = (all: readonly Bridge[]) => all.flatMap((bridge) => bridge.legs());
  const linksOf = (all: readonly Bridge[]) => all.flatMap(({ link }) => link ?? []);
  await inTurns(legsOf([...bridges.all()]), (leg) => {
    const stats = leg.stats();
    if (stats) meter.addLeg(leg, stats);
  });
  let [queuedMs, pingMs] = [0, 0];
  await inTurns(linksOf([...bridges.all()]), (link) => {
    const stats = link.stats();
    meter.addLink(link, stats);
    queuedMs += stats.queuedMs;
    pingMs = Math.max(pingMs, stats.pingMs);
  });
  metrics.pipeline_queued_seconds.set(queuedMs / 1000);
  metrics.pipeline_ping_seconds.set(pingMs / 1000);
  const all = [...bridges.all()];
  for (const bridge of all) if (bridge.outage) meter.addOutage(bridge.outage, bridge.now());
  metrics.calls_active.set(bridges.calls);
  metrics.sessions_live.set(bridges.size);
  metrics.sessions_degraded.set(all.filter(({ outage }) => outage).length);
  countCalls(legsOf(all), metrics);
  countLinks(linksOf(all), metrics);
  const { used, total } = media.usage();
  metrics.media_ports.set({ state: 'used' }, used);
  metrics.media_ports.set({ state: 'free' }, total - used);
  meter.addWorkers(media.workers(), media.deaths);
}

function countCalls(legs: readonly Leg[], { calls }: Metrics): void {
  const stateOf = ({ state, held }: Leg) => (state === 'up' && held ? 'held' : state);
  for (const state of ['setting_up', 'up', 'held'] as const)
    for (const direction of ['inbound', 'outbound'] as const)
      calls.set(
        { state, direction },
        legs.filter((leg) => stateOf(leg) === state && leg.facts.direction === direction).length,
      );
}

function countLinks(links: readonly PipelineLink[], metrics: Metrics): void {
  const within = (state: LinkState) => links.filter((link) => link.state === state).length;
  metrics.pipeline_links.set(links.length);
  for (const state of ['connecting', 'up', 'down'] as const)
    metrics.pipeline_link_states.set({ state }, within(state));
  for (const dialect of dialectNames)
    metrics.pipeline_dialect_links.set({ dialect }, links.filter((link) => link.dialect === dialect).length);
}

/** Sessions whose legs have all been without audio for so long, ms. */
export function silentSessions(bridges: Bridges, forMs: number): SessionId[] {
  return [...bridges.all()]
    .filter((bridge) => bridge.legs().length > 0 && bridge.legs().every((leg) => leg.silentForMs() >= forMs))
    .map((bridge) => bridge.session.id);
}
