import type { SessionId } from '../ids.ts';
import type { MediaPool } from '../media/media-port.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Bridges } from './bridges.ts';
import type { TrafficMeter } from './traffic-meter.ts';

/** Brings what is up now into the metrics, at each scrape. */
export function collectTraffic(
  bridges: Bridges,
  media: MediaPool,
  metrics: Metrics,
  meter: TrafficMeter,
): void {
  let links = 0;
  let degraded = 0;
  for (const bridge of bridges.all()) {
    if (bridge.link) {
      links++;
      meter.addLink(bridge.link, bridge.link.stats());
    }
    if (bridge.outage) {
      degraded++;
      meter.addOutage(bridge.outage, bridge.now());
    }
    for (const leg of bridge.legs()) {
      const stats = leg.stats();
      if (stats) meter.addLeg(leg, stats);
    }
  }
  const { used, total } = media.usage();
  metrics.calls_active.set(bridges.calls);
  metrics.sessions_live.set(bridges.size);
  metrics.sessions_degraded.set(degraded);
  metrics.pipeline_links.set(links);
  metrics.media_ports.set({ state: 'used' }, used);
  metrics.media_ports.set({ state: 'free' }, total - used);
}

/** Sessions whose legs have all been without RTP for so long, ms. */
export function silentSessions(bridges: Bridges, forMs: number): SessionId[] {
  return [...bridges.all()]
    .filter((bridge) => bridge.legs().length > 0 && bridge.legs().every((leg) => leg.silentForMs() >= forMs))
    .map((bridge) => bridge.session.id);
}
