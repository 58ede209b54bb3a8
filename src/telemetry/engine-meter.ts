import type { Metrics } from './metrics.ts';

/** Counters that tell what the engine holds; all others tell what has happened. */
const states = [
  'connections',
  'newConnections',
  'serverTransactions',
  'clientTransactions',
  'pendingInvites',
  'outgoingInvites',
  'queued',
  'undecided',
  'dialogs',
  'proxiedRequests',
  'proxiedDialogs',
  'bans',
];

/** Counters that tell how loaded it is. */
const loads = ['delayMs', 'lossPercent'];

/** Brings the counters of the SIP engine into the metrics; a new engine counts on from where the old one was. */
export class EngineMeter {
  readonly #metrics: Metrics;
  #engine: object | undefined;
  #before: Record<string, number> = {};

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  /** @param engine whose counters these are */
  add(engine: object, stats: object): void {
    if (engine !== this.#engine) this.#before = {};
    this.#engine = engine;
    const counters = stats as Record<string, number>;
    for (const [name, value] of Object.entries(counters)) {
      const kind = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      if (states.includes(name)) this.#metrics.engine_state.set({ kind }, value);
      else if (loads.includes(name)) this.#metrics.engine_load.set({ kind }, value);
      else if (name !== 'applications') {
        this.#metrics.engine_events_total.inc({ kind }, Math.max(0, value - (this.#before[name] ?? 0)));
      }
    }
    this.#before = counters;
  }
}
