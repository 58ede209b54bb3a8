import { count } from './counts.ts';
import type { Flow } from './transport.ts';

/** How many calls use which flow, and come from which address. */
export class FlowUse {
  readonly #bySource = new Map<string, number>();
  readonly #byFlow = new Map<Flow, number>();

  add(flow: Flow): void {
    count(this.#bySource, flow.remote.address, 1);
    count(this.#byFlow, flow, 1);
  }

  remove(flow: Flow): void {
    count(this.#bySource, flow.remote.address, -1);
    count(this.#byFlow, flow, -1);
  }

  /** Does a call come from this address? */
  hasSource(address: string): boolean {
    return this.#bySource.has(address);
  }

  has(flow: Flow): boolean {
    return this.#byFlow.has(flow);
  }
}
