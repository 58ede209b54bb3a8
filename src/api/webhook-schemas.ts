import { z } from 'zod';
import { eventTypes, onlyByName } from '../sessions/events.ts';
import type { Attempt, Delivery } from '../webhooks/deliveries.ts';
import type { WebhookEndpoint } from '../webhooks/endpoints.ts';
import { pageOf, pageQuery } from './paging.ts';

/** The REST shapes of webhook endpoints and deliveries, and how rows become them (contract §1, §8). */

const URL_MOST = 2000;
const iso = (at: number) => new Date(at).toISOString();

const events = z
  .array(z.enum(['*', ...eventTypes]))
  .min(1)
  .max(eventTypes.length)
  .refine(
    (list) => !list.includes('*') || list.every((event) => event === '*' || onlyByName.has(event)),
    '"*" stands for all events, and alone but for session.dtmf',
  )
  .refine((list) => new Set(list).size === list.length, 'must name each event once')
  .meta({
    description:
      'Event types, or ["*"] for all but session.dtmf: the keys that callers press come only to who names it',
    example: ['session.started', 'session.ended'],
  });

const url = z.string().min(1).max(URL_MOST).meta({
  description: 'Where events are sent by POST: https, on the public internet',
  example: 'https://example.com/webhooks',
});

const endpointExample = {
  id: 'wh_01JQZX3M8T5VY7B2N4K6P9R1WC',
  object: 'webhook_endpoint',
  url: 'https://example.com/webhooks',
  events: ['*'],
  active: true,
  created_at: '2026-01-01T12:00:00.000Z',
};
const deliveryExample = {
  id: 'wh_del_01JQZX3M8T5VY7B2N4K6P9R1WC',
  object: 'webhook_delivery',
  webhook_id: 'wh_01JQZX3M8T5VY7B2N4K6P9R1WC',
  event_id: 'evt_01JQZX3M8T5VY7B2N4K6P9R1WC',
  event_type: 'session.ended',
  session_id: 'sess_01JQZX3M8T5VY7B2N4K6P9R1WC',
  status: 'delivered',
  attempt_count: 1,
  next_attempt_at: null,
  created_at: '2026-01-01T12:00:00.000Z',
};

export const createEndpointBody = z.object({ url, events }).meta({
  examples: [{ url: 'https://example.com/webhooks', events: ['session.started', 'session.ended'] }],
});
export const updateEndpointBody = z.object({
  url: url.optional(),
  events: events.optional(),
  active: z.boolean().optional(),
});

const endpoint = z.object({
  id: z.string(),
  object: z.literal('webhook_endpoint'),
  url: z.string(),
  events: z.array(z.string()),
  active: z.boolean(),
  created_at: z.string(),
});
export const endpointAnswer = endpoint.meta({ examples: [endpointExample] });
/** The signing secret is shown only here. */
export const endpointWithSecretAnswer = endpoint
  .extend({ secret: z.string() })
  .meta({ examples: [{ ...endpointExample, secret: 'whsec_shown-once-and-never-again' }] });
export const endpointsAnswer = pageOf(endpoint);
export const deletedAnswer = z.object({
  id: z.string(),
  object: z.literal('webhook_endpoint'),
  deleted: z.literal(true),
});

export const idParams = z.object({ id: z.string().max(100) });

const deliveryStatus = z.enum(['pending', 'delivered', 'failed']);
export const deliveriesQuery = z.object({ status: deliveryStatus.optional(), ...pageQuery.shape });

const delivery = z.object({
  id: z.string(),
  object: z.literal('webhook_delivery'),
  webhook_id: z.string(),
  event_id: z.string(),
  event_type: z.string(),
  session_id: z.string().nullable(),
  status: deliveryStatus,
  attempt_count: z.number().int(),
  /** null when there will be none. */
  next_attempt_at: z.string().nullable(),
  created_at: z.string(),
});
export const deliveriesAnswer = pageOf(delivery);
export const deliveryAnswer = delivery
  .extend({
    attempts: z.array(
      z.object({
        attempt: z.number().int(),
        at: z.string(),
        http_status: z.number().int().nullable(),
        error: z.string().nullable(),
        duration_ms: z.number(),
      }),
    ),
  })
  .meta({
    examples: [
      {
        ...deliveryExample,
        attempts: [
          { attempt: 1, at: '2026-01-01T12:00:01.000Z', http_status: 200, error: null, duration_ms: 85 },
        ],
      },
    ],
  });

export function endpointView(row: WebhookEndpoint) {
  return {
    id: row.id,
    object: 'webhook_endpoint' as const,
    url: row.url,
    events: JSON.parse(row.events) as string[],
    active: row.active === 1,
    created_at: iso(row.created_at),
  };
}

export function deliveryView(row: Delivery) {
  return {
    id: row.id,
    object: 'webhook_delivery' as const,
    webhook_id: row.endpoint_id,
    event_id: row.event_id,
    event_type: row.type,
    session_id: row.session_id,
    status: row.status,
    attempt_count: row.attempts,
    next_attempt_at: row.status === 'pending' ? iso(row.due_at) : null,
    created_at: iso(row.created_at),
  };
}

export const attemptView = (row: Attempt) => ({
  attempt: row.attempt,
  at: iso(row.at),
  http_status: row.status,
  error: row.error,
  duration_ms: row.duration_ms,
});
