import type { Clock } from '../clock.ts';
import type { Log } from '../telemetry/log.ts';
import { memoryInUse } from '../telemetry/memory-in-use.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { Capacity, type Resource, type ResourceState, resources } from './capacity.ts';
import { MediaLoad, type WorkerCounts } from './media-load.ts';

/** Where the watch looks. */
interface CapacitySources {
  calls: () => number;
  portsInUse: () => number;
  mediaWorkers: () => readonly WorkerCounts[];
  /** ms that the embedded engine is late; undefined while there is none. */
  engineDelayMs: () => Promise<number | undefined>;
}

export interface CapacityOptions extends CapacitySources {
  limits: Readonly<Record<Resource, number>>;
  clock: Clock;
  log: Log;
  metrics: Pick<Metrics, 'capacity_used' | 'capacity_limit' | 'capacity_exhausted' | 'beforeScrape'>;
}

/** How often the loads are looked at, and every how many times what changes slowly. */
const EVERY_MS = 100;
const SLOWLY = 10;

export type CapacityReport = Readonly<Record<Resource, Readonly<ResourceState>>>;

/** Looks at this node's resources again and again, and tells whether there is room for new calls. */
export class CapacityWatch {
  readonly #options: CapacityOptions;
  readonly #capacity: Capacity;
  readonly #media = new MediaLoad();
  #timer: NodeJS.Timeout;
  #due: number;
  #looks = 0;

  constructor(options: CapacityOptions) {
    this.#options = options;
    this.#capacity = new Capacity(options.limits);
    this.#due = options.clock.monotonic() + EVERY_MS;
    this.#timer = setTimeout(() => this.#look(), EVERY_MS);
    options.metrics.beforeScrape(() => this.#measure());
  }

  /** As things are at this moment. @param but what does not matter */
  isExhausted(but?: Resource): boolean {
    this.#count();
    return this.#capacity.isExhausted(but);
  }

  report(): CapacityReport {
    this.#count();
    const rounded = ({ value, ...rest }: ResourceState) => ({ value: Math.round(value * 10) / 10, ...rest });
    const entries = resources.map((name) => [name, rounded(this.#capacity.state(name))]);
    return Object.fromEntries(entries) as CapacityReport;
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #look(): void {
    const now = this.#options.clock.monotonic();
    this.#tell('event_loop_delay_ms', Math.max(0, now - this.#due));
    const { lateMs, busyPercent } = this.#media.measure(this.#options.mediaWorkers(), now);
    this.#tell('media_delay_ms', lateMs);
    this.#tell('media_busy_percent', busyPercent);
    if (this.#looks++ % SLOWLY === 0) this.#lookAtWhatIsSlow();
    this.#count();
    this.#due = now + EVERY_MS;
    this.#timer = setTimeout(() => this.#look(), EVERY_MS);
  }

  #lookAtWhatIsSlow(): void {
    this.#tell('memory_percent', memoryInUse() * 100);
    this.#options.engineDelayMs().then(
      (ms = 0) => this.#tell('engine_delay_ms', ms),
      // It has died, and is started again: that is told elsewhere.
      () => this.#tell('engine_delay_ms', 0),
    );
  }

  /** What is known exactly at any time. */
  #count(): void {
    this.#tell('calls', this.#options.calls());
    this.#tell('rtp_ports', this.#options.portsInUse());
  }

  #tell(resource: Resource, measured: number): void {
    if (!this.#capacity.tell(resource, measured)) return;
    const { value, limit, exhausted } = this.#capacity.state(resource);
    const { log } = this.#options;
    if (exhausted) log.warn({ resource, value, limit }, 'a resource is exhausted: no new calls are taken');
    else log.info({ resource, value, limit }, 'a resource is free again');
  }

  #measure(): void {
    const { capacity_used, capacity_limit, capacity_exhausted } = this.#options.metrics;
    const report = this.report();
    for (const resource of resources) {
      const { value, limit, exhausted } = report[resource];
      capacity_used.set({ resource }, value);
      capacity_limit.set({ resource }, limit);
      capacity_exhausted.set({ resource }, exhausted ? 1 : 0);
    }
  }
}
