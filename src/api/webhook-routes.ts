import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Deliveries } from '../webhooks/deliveries.ts';
import type { WebhookEndpoints } from '../webhooks/endpoints.ts';
import { wantedPage } from './paging.ts';
import {
  attemptView,
  createEndpointBody,
  deletedAnswer,
  deliveriesAnswer,
  deliveriesQuery,
  deliveryAnswer,
  deliveryView,
  endpointAnswer,
  endpointsAnswer,
  endpointView,
  endpointWithSecretAnswer,
  idParams,
  updateEndpointBody,
} from './webhook-schemas.ts';

export interface WebhookRoutes {
  webhooks: { endpoints: WebhookEndpoints; deliveries: Deliveries };
}

const config = { scope: 'webhooks:manage' } as const;
const tags = ['Webhooks'];
const params = idParams;

const endpointSchemas = {
  create: {
    ...{ tags, summary: 'Create an endpoint; its signing secret is shown only now' },
    ...{ body: createEndpointBody, response: { 201: endpointWithSecretAnswer } },
  },
  list: { tags, summary: 'List the endpoints', response: { 200: endpointsAnswer } },
  get: { tags, summary: 'Get an endpoint', params, response: { 200: endpointAnswer } },
  update: {
    ...{ tags, summary: 'Change an endpoint, or switch it on or off' },
    ...{ params, body: updateEndpointBody, response: { 200: endpointAnswer } },
  },
  delete: { tags, summary: 'Delete an endpoint', params, response: { 200: deletedAnswer } },
  rotate: {
    ...{ tags, summary: 'Replace the signing secret; the new one is shown only now' },
    ...{ params, response: { 200: endpointWithSecretAnswer } },
  },
};
const deliverySchemas = {
  test: { tags, summary: 'Send a test event', params, response: { 202: deliveryAnswer } },
  list: {
    ...{ tags, summary: 'List the deliveries to an endpoint, newest first' },
    ...{ params, querystring: deliveriesQuery, response: { 200: deliveriesAnswer } },
  },
  get: { tags, summary: 'Get a delivery with its attempts', params, response: { 200: deliveryAnswer } },
  retry: { tags, summary: 'Send a failed delivery again', params, response: { 202: deliveryAnswer } },
};

/** `/v1/webhooks`: where events go, and what became of them (contract §8; scope `webhooks:manage`). */
export function webhookRoutes(app: FastifyInstance, { webhooks }: WebhookRoutes): void {
  endpointRoutes(app, webhooks.endpoints);
  deliveryRoutes(app, webhooks);
}

function endpointRoutes(app: FastifyInstance, endpoints: WebhookEndpoints): void {
  const typed = app.withTypeProvider<ZodTypeProvider>();
  const { create, list, get, update, delete: remove, rotate } = endpointSchemas;

  typed.post('/v1/webhooks', { config, schema: create }, async ({ body, caller }, reply) => {
    const { endpoint, secret } = await endpoints.create(caller.organizationId, body.url, body.events);
    return reply.status(201).send({ ...endpointView(endpoint), secret });
  });

  typed.get('/v1/webhooks', { config, schema: list }, async ({ caller }) => {
    const rows = await endpoints.list(caller.organizationId);
    return { object: 'list' as const, data: rows.map(endpointView), has_more: false, url: '/v1/webhooks' };
  });

  typed.get('/v1/webhooks/:id', { config, schema: get }, async ({ params: { id }, caller }) =>
    endpointView(await endpoints.get(caller.organizationId, id)),
  );

  typed.patch('/v1/webhooks/:id', { config, schema: update }, async ({ params: { id }, body, caller }) =>
    endpointView(await endpoints.update(caller.organizationId, id, body)),
  );

  typed.delete('/v1/webhooks/:id', { config, schema: remove }, async ({ params: { id }, caller }) => {
    await endpoints.delete(caller.organizationId, id);
    return { id, object: 'webhook_endpoint' as const, deleted: true as const };
  });

  typed.post(
    '/v1/webhooks/:id/rotate_secret',
    { config, schema: rotate },
    async ({ params: { id }, caller }) => {
      const { endpoint, secret } = await endpoints.rotateSecret(caller.organizationId, id);
      return { ...endpointView(endpoint), secret };
    },
  );
}

function deliveryRoutes(app: FastifyInstance, { endpoints, deliveries }: WebhookRoutes['webhooks']): void {
  const typed = app.withTypeProvider<ZodTypeProvider>();
  const { test, list, get, retry } = deliverySchemas;
  const answer = async (organizationId: string, id: string) => {
    const { delivery, attempts } = await deliveries.get(organizationId, id);
    return { ...deliveryView(delivery), attempts: attempts.map(attemptView) };
  };

  typed.post('/v1/webhooks/:id/test', { config, schema: test }, async ({ params, caller }, reply) => {
    const id = await endpoints.test(caller.organizationId, params.id);
    return reply.status(202).send(await answer(caller.organizationId, id));
  });

  typed.get('/v1/webhooks/:id/deliveries', { config, schema: list }, async ({ params, query, caller }) => {
    const { id } = await endpoints.get(caller.organizationId, params.id);
    const { rows, hasMore } = await deliveries.list(id, query.status, wantedPage(query));
    const url = `/v1/webhooks/${id}/deliveries`;
    return { object: 'list' as const, data: rows.map(deliveryView), has_more: hasMore, url };
  });

  typed.get('/v1/webhooks/deliveries/:id', { config, schema: get }, async ({ params, caller }) =>
    answer(caller.organizationId, params.id),
  );

  typed.post(
    '/v1/webhooks/deliveries/:id/retry',
    { config, schema: retry },
    async ({ params, caller }, reply) => {
      await deliveries.retry(caller.organizationId, params.id);
      return reply.status(202).send(await answer(caller.organizationId, params.id));
    },
  );
}
