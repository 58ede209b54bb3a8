import type { FastifyReply } from 'fastify';
import { type Refusal, refusalOf, refusals as refusalRows } from '../errors.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { RecentRefusals } from '../telemetry/recent-refusals.ts';
import { rejectInstructions } from './call-instructions.ts';
import { CALL_ID_MOST, type VoiceWebhook } from './voice-webhook.ts';

/** Where a refusal is told: log, counters, and the list that an operator reads. */
export interface RefusalBook {
  log: Log;
  metrics: Metrics;
  refusals: RecentRefusals;
}

/** Of ITU-T Q.850. */
const USER_BUSY = 17;
const CALLED_MOST = 200;

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
  writeDown(webhook, refusal, status, book);
  if (retryAfter !== undefined) reply.header('Retry-After', retryAfter);
  return reply
    .status(!named || status >= 500 ? status : 200)
    .type('text/xml; charset=utf-8')
    .send(rejectInstructions(cause === USER_BUSY || status >= 500 ? 'busy' : 'rejected'));
}

function writeDown(
  { carrier, fields, source }: VoiceWebhook,
  { code, detail }: Refusal,
  status: number,
  { log, metrics, refusals }: RefusalBook,
): void {
  const entry = {
    ...{ code, status, method: `POST /v1/carriers/${carrier}/voice`, source },
    call_id: (fields.get('CallSid') ?? '').slice(0, CALL_ID_MOST),
    called: (fields.get('To') ?? '').slice(0, CALLED_MOST),
    detail: detail ?? null,
  };
  metrics.carrier_webhooks_total.inc({ carrier, outcome: 'refused' });
  metrics.refusals_total.inc({ code });
  refusals.add({ at: new Date().toISOString(), ...entry });
  log.info(entry, 'refused');
}
