import { createHmac, randomBytes } from 'node:crypto';
import type { EngineContext } from './context.ts';
import { type HeaderField, type SipRequest, serializeMessage } from './message.ts';
import { countOverload, type Overload } from './overload-counts.ts';
import type { Incoming } from './pending-requests.ts';
import { replyFlow } from './response-routing.ts';
import type { Flow } from './transport.ts';
import { isAnswerable } from './validate.ts';
import { newTag } from './write-request.ts';
import { plainResponse, RETRY_AFTER } from './write-response.ts';

/** Answers that the engine gives without keeping anything (RFC 3261 §8.2.7): a retransmission gets the same one again. */
export class Refusals {
  readonly #context: EngineContext;
  /** Makes the To tag, the same for every retransmission. */
  readonly #tagKey = randomBytes(16);

  constructor(context: EngineContext) {
    this.#context = context;
  }

  /** @param toTag that of other answers to the same call, if there are any */
  refuse(
    incoming: Incoming,
    status: number,
    reason: string,
    headers: HeaderField[] = [],
    toTag?: string,
  ): void {
    const { request, envelope, flow, path } = incoming;
    const seed = `${envelope.branch} ${envelope.callId} ${envelope.fromTag}`;
    const tag = toTag ?? createHmac('sha256', this.#tagKey).update(seed).digest('hex').slice(0, 16);
    const response = plainResponse({ request, flow, toTag: tag }, status, reason);
    response.headers.push(...headers);
    replyFlow(path, flow, this.#context.flowTo).send(serializeMessage(response));
  }

  overloaded(incoming: Incoming, why: Overload): void {
    countOverload(this.#context.stats, why);
    // A peer that is told how much less to send must not be kept from sending at all (RFC 7339 §5.9).
    const told = incoming.envelope.via.params.has('oc');
    this.refuse(incoming, 503, 'Service Unavailable', told ? [] : [RETRY_AFTER]);
  }

  noDialog(incoming: Incoming): void {
    this.refuse(incoming, 481, 'Call/Transaction Does Not Exist');
  }

  /** A request of which perhaps only the Via is known. */
  unparsed(request: SipRequest, flow: Flow, status: number, reason: string, headers: HeaderField[]): void {
    if (!isAnswerable(request)) {
      this.#context.stats.dropped += 1;
      return;
    }
    const response = plainResponse({ request, flow, toTag: newTag() }, status, reason);
    response.headers.push(...headers);
    flow.send(serializeMessage(response));
  }
}
