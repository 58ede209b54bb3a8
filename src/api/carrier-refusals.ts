import type { FastifyReply } from 'fastify';
import { refusalOf, refusals as refusalRows } from '../errors.ts';
import { type RefusalBook, writeDown } from '../telemetry/refusal-book.ts';
import { rejectInstructions } from './call-instructions.ts';
import { CALL_ID_MOST, type VoiceWebhook } from './voice-webhook.ts';

/** Of ITU-T Q.850. */
const USER_BUSY = 17;

/**
 * Refuses a call in its carrier's words. Who is not recognized, and what may go better at another gateway, gets an HTTP
 * status that says so as well: then the carrier asks its fallback address.
 * @throws what is no refusal of a call: `rate_limit_exceeded`, and errors of ours
 */
export function refuseCall(
  webhook: VoiceWebhook,
  reply: FastifyReply,
  error: unknown,
  book: RefusalBook,
): FastifyReply {
  const refusal = refusalOf(error);
  if (refusal === undefined) throw error;
  const { status, named, cause, retryAfter } = { retryAfter: undefined, ...refusalRows[refusal.code] };
  const { carrier, fields, source } = webhook;
  book.metrics.carrier_webhooks_total.inc({ carrier, outcome: 'refused' });
  writeDown(book, {
    ...{ code: refusal.code, status, method: `POST /v1/carriers/${carrier}/voice`, source },
    call_id: (fields.get('CallSid') ?? '').slice(0, CALL_ID_MOST),
    called: fields.get('To') ?? '',
    detail: refusal.detail ?? null,
  });
  if (retryAfter !== undefined) reply.header('Retry-After', retryAfter);
  return reply
    .status(!named || status >= 500 ? status : 200)
    .type('text/xml; charset=utf-8')
    .send(rejectInstructions(cause === USER_BUSY || status >= 500 ? 'busy' : 'rejected'));
}
