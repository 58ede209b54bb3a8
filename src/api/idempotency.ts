import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ApiError } from '../errors.ts';
import { Claim, type IdempotencyKeys } from '../sessions/idempotency-keys.ts';
import type { AlsoWrite } from '../sessions/sessions.ts';

const KEY_MOST = 255;

/** Looks after `Idempotency-Key` on the routes that say `config: { idempotent: true }` (contract §11). */
export function idempotentRoutes(app: FastifyInstance, keys: IdempotencyKeys): void {
  app.addHook('preValidation', async (request, reply) => {
    const key = request.headers['idempotency-key'];
    if (!request.routeOptions.config.idempotent || key === undefined) return;
    const claim = await keys.claim({
      organizationId: request.caller.organizationId,
      key: checkedKey(key),
      fingerprint: fingerprintOf(request),
      leaseMs: request.routeOptions.config.answersWithinMs,
    });
    if (claim instanceof Claim) request.claim = claim;
    else return reply.status(claim.status).type('application/json; charset=utf-8').send(claim.body);
  });
  app.addHook('onSend', async ({ claim }, reply, payload) => {
    if (claim === undefined) return;
    // A claim that cannot be given back now runs out by itself.
    if (reply.statusCode >= 400) await claim.giveBack().catch(() => undefined);
    else if (!claim.kept) await claim.keepAlone({ status: reply.statusCode, body: String(payload ?? '') });
  });
}

/**
 * An answer that is kept, for a request with an `Idempotency-Key`, in the transaction of the change that it tells of.
 * @param view the body, from what has changed
 */
export function keptAnswer<T>(reply: FastifyReply, status: number, view: (changed: T) => object) {
  let body: string | undefined;
  const render = (changed: T): string => {
    reply.status(status).type('application/json; charset=utf-8');
    return String(reply.serialize(view(changed)));
  };
  const keep: AlsoWrite<T> = async (transaction, changed) => {
    body = render(changed);
    await reply.request.claim?.keep(transaction, { status, body });
  };
  return { keep, send: (changed: T) => reply.send(body ?? render(changed)) };
}

function checkedKey(key: string | string[]): string {
  if (typeof key === 'string' && key.length <= KEY_MOST && /^[\x20-\x7e]+$/.test(key)) return key;
  const message = `Idempotency-Key: must be 1 to ${KEY_MOST} printable ASCII characters`;
  throw new ApiError('invalid_request', { param: 'Idempotency-Key', message });
}

function fingerprintOf({ method, url, body }: FastifyRequest): string {
  const [path] = url.split('?');
  return createHash('sha256')
    .update(JSON.stringify([method, path, inOrder(body)]))
    .digest('hex');
}

/** Objects as lists of pairs in one order, so that only what they say counts, and lists so that they differ from these. */
function inOrder(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return { list: value.map(inOrder) };
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]) => [key, inOrder(inner)]);
}
