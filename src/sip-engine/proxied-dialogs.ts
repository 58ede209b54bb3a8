import type { EngineContext } from './context.ts';
import { contactUri, refreshTarget } from './dialog.ts';
import { type Envelope, envelopeOf } from './envelope.ts';
import { FlowUse } from './flow-use.ts';
import { headersOf, type SipRequest, type SipResponse } from './message.ts';
import { countOverload } from './overload-counts.ts';
import type { Incoming } from './pending-requests.ts';
import { recordRoutes } from './proxy-request.ts';
import { T1, type Timer } from './timers.ts';
import type { Flow } from './transport.ts';
import type { PeerOfDialog } from './ways.ts';
import { refreshesTarget } from './write-request.ts';

/** One side of a dialog between two others, as we reach it. */
export type ProxiedSide = PeerOfDialog;

/** A dialog that runs through us because we recorded the route. */
export interface ProxiedDialog {
  readonly key: string;
  readonly caller: ProxiedSide;
  readonly callee: ProxiedSide;
  /** A 2xx has made it; until then it ends with its request. */
  confirmed: boolean;
  /** Its BYE is done; it is only still known. */
  over: boolean;
  end: Timer;
}

/** ms without any request after which a dialog is taken to be over: nobody tells a proxy that a phone has lost power. */
const IDLE_MS = 12 * 3_600_000;
/** ms that an ended dialog is still known, for what was on its way. */
const LINGER_MS = 64 * T1;

/**
 * The dialogs that we have proxied and stay in. Where their requests go is what was learnt here, never what a request
 * says: whoever guesses a dialog reaches its two sides and nobody else.
 */
export class ProxiedDialogs {
  readonly #context: EngineContext;
  readonly #byTags = new Map<string, ProxiedDialog>();
  readonly #use = new FlowUse();

  constructor(context: EngineContext) {
    this.#context = context;
  }

  get isFull(): boolean {
    return this.#byTags.size >= this.#context.limits.maxDialogs;
  }

  /**
   * What a response to a request that we recorded our route in says of the dialog that it begins. @returns it, or
   * undefined when it begins none
   */
  learn(incoming: Incoming, response: SipResponse, flow: Flow): ProxiedDialog | undefined {
    const toTag = envelopeOf(response)?.toTag;
    if (toTag === undefined) return undefined;
    const { callId, fromTag } = incoming.envelope;
    const key = tagsOf(callId, fromTag, toTag);
    const dialog = this.#byTags.get(key) ?? this.#begin(key, incoming, flow);
    if (dialog === undefined) return undefined;
    refreshTarget(dialog.callee, response);
    dialog.callee.routes = routesBehind(incoming, response, flow);
    if (response.status >= 200) dialog.confirmed = true;
    return dialog;
  }

  /** The dialog of a request, and its sender and receiver. */
  find({
    callId,
    fromTag,
    toTag,
  }: Envelope): { dialog: ProxiedDialog; from: ProxiedSide; to: ProxiedSide } | undefined {
    if (toTag === undefined) return undefined;
    const ofCaller = this.#byTags.get(tagsOf(callId, fromTag, toTag));
    if (ofCaller !== undefined) return { dialog: ofCaller, from: ofCaller.caller, to: ofCaller.callee };
    const ofCallee = this.#byTags.get(tagsOf(callId, toTag, fromTag));
    return ofCallee && { dialog: ofCallee, from: ofCallee.callee, to: ofCallee.caller };
  }

  /** A request of one side has come: what we send to that side goes where it came from. */
  heardFrom(dialog: ProxiedDialog, side: ProxiedSide, { flow, path }: Incoming): void {
    this.#use.remove(side.flow);
    side.flow = flow;
    side.symmetric = path.symmetric;
    this.#use.add(flow);
    if (!dialog.over) this.#endAfter(dialog, IDLE_MS);
  }

  /** Its BYE is done. */
  ended(dialog: ProxiedDialog): void {
    if (dialog.over) return;
    dialog.over = true;
    this.#endAfter(dialog, LINGER_MS);
  }

  remove(dialog: ProxiedDialog): void {
    dialog.end.cancel();
    if (!this.#byTags.delete(dialog.key)) return;
    this.#use.remove(dialog.caller.flow);
    this.#use.remove(dialog.callee.flow);
    this.#count();
  }

  hasSource(address: string): boolean {
    return this.#use.hasSource(address);
  }

  usesFlow(flow: Flow): boolean {
    return this.#use.has(flow);
  }

  close(): void {
    for (const dialog of this.#byTags.values()) dialog.end.cancel();
    this.#byTags.clear();
    this.#count();
  }

  #begin(key: string, { request, path, flow }: Incoming, outgoing: Flow): ProxiedDialog | undefined {
    if (this.isFull) {
      countOverload(this.#context.stats, 'full');
      return undefined;
    }
    const routes = headersOf(request, 'Record-Route');
    const { symmetric } = path;
    const dialog: ProxiedDialog = {
      key,
      caller: { flow, symmetric, routes, remoteTarget: contactUri(request) ?? '' },
      callee: { flow: outgoing, symmetric: true, routes: [], remoteTarget: '' },
      confirmed: false,
      over: false,
      end: { cancel: () => {} },
    };
    this.#byTags.set(key, dialog);
    this.#use.add(flow);
    this.#use.add(outgoing);
    this.#endAfter(dialog, IDLE_MS);
    this.#count();
    return dialog;
  }

  #endAfter(dialog: ProxiedDialog, ms: number): void {
    dialog.end.cancel();
    dialog.end = this.#context.clock.after(ms, () => this.remove(dialog));
  }

  #count(): void {
    this.#context.stats.proxiedDialogs = this.#byTags.size;
  }
}

/** A tag holds no white space, so that no two dialogs read the same. */
const tagsOf = (callId: string, callerTag: string, calleeTag: string): string =>
  `${callId} ${callerTag} ${calleeTag}`;

/** The route set behind us: what proxies there have recorded on top of our own values and those that came with the request. */
function routesBehind({ request, flow }: Incoming, response: SipResponse, outgoing: Flow): string[] {
  const recorded = headersOf(response, 'Record-Route');
  const before = headersOf(request, 'Record-Route').length + recordRoutes(request, flow, outgoing).length;
  return recorded.slice(0, Math.max(0, recorded.length - before)).reverse();
}

/** Takes over the Contacts of a request inside a dialog that succeeded, and of its answer. */
export function refreshTargets(
  from: ProxiedSide,
  to: ProxiedSide,
  request: SipRequest,
  response: SipResponse,
): void {
  if (!refreshesTarget.has(request.method)) return;
  refreshTarget(from, request);
  refreshTarget(to, response);
}
