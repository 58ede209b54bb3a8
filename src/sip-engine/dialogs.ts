import type { AppLink } from './app-link.ts';
import type { Dialog } from './dialog.ts';
import type { Envelope } from './envelope.ts';
import { FlowUse } from './flow-use.ts';
import type { EngineStats } from './stats.ts';
import type { Flow } from './transport.ts';

/** All dialogs, by the id that the application uses and by the tags that the network uses. */
export class Dialogs {
  /** Of the early dialogs of a forked INVITE the one that was heard of last. */
  readonly #byId = new Map<string, Dialog>();
  readonly #byTags = new Map<string, Dialog>();
  readonly #byCallId = new Map<string, Dialog>();
  readonly #use = new FlowUse();
  readonly #stats: EngineStats;

  constructor(stats: EngineStats) {
    this.#stats = stats;
  }

  get size(): number {
    return this.#byTags.size;
  }

  add(dialog: Dialog): void {
    if (this.#byId.get(dialog.id)?.confirmed !== true) this.#byId.set(dialog.id, dialog);
    this.#byTags.set(tagsOf(dialog), dialog);
    this.#byCallId.set(dialog.callId, dialog);
    this.#use.add(dialog.flow);
    this.#stats.dialogs = this.size;
  }

  /** This fork is the one that the application talks to. */
  prefer(dialog: Dialog): void {
    this.#byId.set(dialog.id, dialog);
  }

  byId(id: string): Dialog | undefined {
    return this.#byId.get(id);
  }

  /** Whether it has not ended. */
  has(dialog: Dialog): boolean {
    return this.#byTags.get(tagsOf(dialog)) === dialog;
  }

  /** The latest dialog of that Call-ID. */
  byCallId(callId: string): Dialog | undefined {
    return this.#byCallId.get(callId);
  }

  /** The dialog that a request of the peer belongs to: Call-ID and both tags (RFC 3261 §12.2.2). */
  ofRequest({ callId, fromTag, toTag }: Envelope): Dialog | undefined {
    return toTag === undefined ? undefined : this.#byTags.get(`${callId} ${toTag} ${fromTag}`);
  }

  /** The latest request of the peer came by `flow`: what we send goes there. */
  moveTo(dialog: Dialog, flow: Flow): void {
    if (dialog.flow === flow) return;
    this.#use.remove(dialog.flow);
    dialog.flow = flow;
    this.#use.add(flow);
  }

  remove(dialog: Dialog): void {
    if (!this.has(dialog)) return;
    this.#byTags.delete(tagsOf(dialog));
    if (this.#byId.get(dialog.id) === dialog) this.#byId.delete(dialog.id);
    if (this.#byCallId.get(dialog.callId) === dialog) this.#byCallId.delete(dialog.callId);
    this.#use.remove(dialog.flow);
    for (const answer of dialog.unacked.values()) answer.stop();
    dialog.unacked.clear();
    dialog.reliable?.stop();
    dialog.sessionTimer?.stop();
    this.#stats.dialogs = this.size;
  }

  ownedBy(app: AppLink): Dialog[] {
    return [...this.#byTags.values()].filter((dialog) => dialog.app === app);
  }

  all(): Dialog[] {
    return [...this.#byTags.values()];
  }

  /** Does a call come from this address? */
  hasSource(address: string): boolean {
    return this.#use.hasSource(address);
  }

  usesFlow(flow: Flow): boolean {
    return this.#use.has(flow);
  }
}

/** A tag holds no white space, so that no two dialogs read the same. */
const tagsOf = ({ callId, localTag, remoteTag }: Dialog): string => `${callId} ${localTag} ${remoteTag}`;
