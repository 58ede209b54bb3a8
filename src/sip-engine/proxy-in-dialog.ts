import type { EngineContext } from './context.ts';
import { envelopeOf } from './envelope.ts';
import { sendAck, type Way } from './hop-walk.ts';
import { type SipRequest, serializeMessage } from './message.ts';
import type { Incoming } from './pending-requests.ts';
import { type ProxiedDialogs, type ProxiedSide, refreshTargets } from './proxied-dialogs.ts';
import type { Upstream } from './proxied-request.ts';
import type { ProxiedRequests } from './proxied-requests.ts';
import type { Target } from './proxy-branch.ts';
import { forwardedRequest, hopsLeft, isOurs } from './proxy-request.ts';
import type { Refusals } from './refusals.ts';
import { replyFlow } from './response-routing.ts';
import type { Flow } from './transport.ts';
import { waysInDialog } from './ways.ts';
import { newBranch, newTag, routed } from './write-request.ts';
import { plainResponse } from './write-response.ts';

/** Requests inside the dialogs that we have proxied and stay in: they go on without the application (protocol page §6). */
export class ProxyInDialog {
  readonly #context: EngineContext;
  readonly #dialogs: ProxiedDialogs;
  readonly #requests: ProxiedRequests;
  readonly #refusals: Refusals;

  constructor(
    context: EngineContext,
    dialogs: ProxiedDialogs,
    requests: ProxiedRequests,
    refusals: Refusals,
  ) {
    this.#context = context;
    this.#dialogs = dialogs;
    this.#requests = requests;
    this.#refusals = refusals;
  }

  /** @returns false for a request of no such dialog */
  forward(incoming: Incoming): boolean {
    const found = this.#dialogs.find(incoming.envelope);
    if (found === undefined) return false;
    const { request, flow } = incoming;
    if (hopsLeft(request) === 0) this.#refusals.refuse(incoming, 483, 'Too Many Hops');
    // A call can be ended however full the tables are.
    else if (request.method !== 'BYE' && !this.#context.transactions.admits(flow.remote.address)) {
      this.#refusals.overloaded(incoming, 'full');
    } else {
      const { dialog, from, to } = found;
      this.#dialogs.heardFrom(dialog, from, incoming);
      this.#send(incoming, from, to, (status) => {
        // Challenged, it will come again; else whoever said BYE has left (RFC 3261 §15.1.1).
        if (request.method === 'BYE' && status !== 401 && status !== 407) this.#dialogs.ended(dialog);
      });
    }
    return true;
  }

  /** The ACK to a 2xx goes on without a transaction (RFC 3261 §16.11). @returns false for one of no such dialog */
  acknowledge(incoming: Incoming): boolean {
    const found = this.#dialogs.find(incoming.envelope);
    if (found === undefined) return false;
    const { dialog, from, to } = found;
    if (hopsLeft(incoming.request) === 0) {
      this.#context.stats.dropped += 1;
      return true;
    }
    this.#dialogs.heardFrom(dialog, from, incoming);
    const target = this.#targetOf(incoming.request, to);
    const send = ([way]: readonly Way[]): void => {
      const flow = (way as Way).open();
      sendAck(flow, target.build(flow, newBranch()));
    };
    const ways = target.ways();
    if (ways instanceof Promise) void ways.then(send);
    else send(ways);
    return true;
  }

  #send(incoming: Incoming, from: ProxiedSide, to: ProxiedSide, settled: (status: number) => void): void {
    const { request } = incoming;
    const upstream = this.#begin(incoming);
    this.#requests.start(
      {
        context: this.#context,
        upstream,
        simultaneous: false,
        patience: {},
        redirected: () => [],
        heard: (response) => {
          if (response.status >= 200 && response.status < 300) refreshTargets(from, to, request, response);
        },
        settled,
        closed: () => {},
      },
      [this.#targetOf(request, to)],
      undefined,
    );
  }

  #begin({ request, envelope, flow, path }: Incoming): Upstream {
    const reply = (): Flow => replyFlow(path, flow, this.#context.flowTo);
    const acked = (ack: SipRequest): void => {
      const ofAck = envelopeOf(ack);
      if (ofAck !== undefined) this.acknowledge({ request: ack, envelope: ofAck, flow, path });
    };
    const transaction = this.#context.transactions.createServer(request, envelope, flow, reply, acked);
    const upstream = { request, envelope, flow, path, transaction, toTag: newTag() };
    if (request.method === 'INVITE') {
      transaction.respond(100, serializeMessage(plainResponse(upstream, 100, 'Trying')));
    }
    return upstream;
  }

  /** The other side. A strict router in front of us has our own address in the Request-URI (RFC 3261 §16.4). */
  #targetOf(request: SipRequest, to: ProxiedSide): Target {
    const strict = request.uri !== to.remoteTarget && isOurs(this.#context, request.uri);
    const uri = strict ? to.remoteTarget || request.uri : request.uri;
    const changes = { ...routed(uri, to.routes), recordRoutes: [], headers: [] };
    return {
      ways: () => waysInDialog(this.#context, to),
      build: (flow, branch) => forwardedRequest(request, changes, flow, branch),
    };
  }
}
