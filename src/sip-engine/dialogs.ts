import type { AppLink } from './app-link.ts';
import type { Dialog } from './dialog.ts';
import type { Envelope } from './envelope.ts';
import type { EngineStats } from './stats.ts';
import type { Flow } from './transport.ts';

/** All dialogs, by the id that the application uses and by the tags that the network uses. */
export class Dialogs {
  readonly #byId = new Map<string, Dialog>();
  readonly #bySource = new Map<string, number>();
  readonly #byFlow = new Map<Flow, number>();
  readonly #stats: EngineStats;

  constructor(stats: EngineStats) {
    this.#stats = stats;
  }

  get size(): number {
    return this.#byId.size;
  }

  add(dialog: Dialog): void {
    this.#byId.set(dialog.id, dialog);
    count(this.#bySource, dialog.flow.remote.address, 1);
    count(this.#byFlow, dialog.flow, 1);
    this.#stats.dialogs = this.#byId.size;
  }

  byId(id: string): Dialog | undefined {
    return this.#byId.get(id);
  }

  /** The dialog that a request of the peer belongs to: Call-ID and both tags (RFC 3261 §12.2.2). */
  ofRequest(envelope: Envelope): Dialog | undefined {
    const dialog = this.#byId.get(`${envelope.callId};from-tag=${envelope.fromTag}`);
    return dialog?.localTag === envelope.toTag ? dialog : undefined;
  }

  /** The latest request of the peer came by `flow`: what we send goes there. */
  moveTo(dialog: Dialog, flow: Flow): void {
    if (dialog.flow === flow) return;
    count(this.#bySource, dialog.flow.remote.address, -1);
    count(this.#byFlow, dialog.flow, -1);
    dialog.flow = flow;
    count(this.#bySource, flow.remote.address, 1);
    count(this.#byFlow, flow, 1);
  }

  remove(dialog: Dialog): void {
    if (this.#byId.get(dialog.id) !== dialog) return;
    this.#byId.delete(dialog.id);
    count(this.#bySource, dialog.flow.remote.address, -1);
    count(this.#byFlow, dialog.flow, -1);
    for (const answer of dialog.unacked.values()) answer.stop();
    dialog.unacked.clear();
    this.#stats.dialogs = this.#byId.size;
  }

  ownedBy(app: AppLink): Dialog[] {
    return [...this.#byId.values()].filter((dialog) => dialog.app === app);
  }

  all(): Dialog[] {
    return [...this.#byId.values()];
  }

  /** Does a call come from this address? */
  hasSource(address: string): boolean {
    return this.#bySource.has(address);
  }

  usesFlow(flow: Flow): boolean {
    return this.#byFlow.has(flow);
  }
}

function count<Key>(counts: Map<Key, number>, key: Key, by: 1 | -1): void {
  const now = (counts.get(key) ?? 0) + by;
  if (now === 0) counts.delete(key);
  else counts.set(key, now);
}
