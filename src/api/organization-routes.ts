import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { scopes } from '../config/scopes.ts';
import type { OrganizationRow, Organizations } from '../telephony/organizations.ts';
import { authenticateOperator } from './authenticate.ts';
import type { Guard } from './guard.ts';
import { byId, deleted, list, listOf } from './telephony-schemas.ts';

export interface OrganizationRoutes {
  organizations: Organizations;
  adminKey: string | undefined;
}

const url = '/v1/admin/organizations';
const tags = ['Operator'];
const organization = z.object({
  id: z.string(),
  object: z.literal('organization'),
  name: z.string(),
  active: z.boolean(),
  managed_by: z.enum(['config', 'api']),
});
const newOrganization = z.object({
  id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be 1 to 64 letters, digits, _ or -'),
  name: z.string().min(1).max(200),
});
const newKey = z.object({
  environment: z.enum(['live', 'test']).default('live'),
  scopes: z
    .array(z.enum(['*', ...scopes]))
    .min(1)
    .max(10)
    .default(['*']),
});
const apiKey = z.object({ id: z.string(), object: z.literal('api_key'), key: z.string() });
const byKey = z.object({ id: z.string().max(64), key: z.string().max(64) });

/** `/v1/admin/organizations`: who may use this gateway, besides those of the configuration file; for the operator. */
export function organizationAdminRoutes(
  app: FastifyInstance,
  guard: Guard,
  { organizations, adminKey }: OrganizationRoutes,
): void {
  const typed = app.withTypeProvider<ZodTypeProvider>();
  app.addHook('onRequest', (request, reply) =>
    guard.identify(request, reply, () => authenticateOperator(request, adminKey)),
  );

  const listing = { tags, summary: 'List the organizations', response: { 200: listOf(organization) } };
  typed.get(url, { schema: listing }, async () => list(url, (await organizations.list()).map(view)));

  const creating = {
    tags,
    summary: 'Make an organization',
    body: newOrganization,
    response: { 201: organization },
  };
  typed.post(url, { schema: creating }, async ({ body }, reply) =>
    reply.status(201).send(view(await organizations.create(body.id, body.name))),
  );

  for (const active of [true, false]) {
    const action = active ? 'activate' : 'deactivate';
    const schema = {
      tags,
      summary: `${active ? 'Activate' : 'Deactivate'} an organization`,
      params: byId,
      response: { 200: organization },
    };
    typed.post(`${url}/:id/${action}`, { schema }, async ({ params }) =>
      view(await organizations.setActive(params.id, active)),
    );
  }

  const adding = {
    tags,
    summary: 'Make an API key; it is shown this once',
    params: byId,
    body: newKey,
    response: { 201: apiKey },
  };
  typed.post(`${url}/:id/api_keys`, { schema: adding }, async ({ params, body }, reply) => {
    const made = await organizations.addKey(params.id, body);
    return reply.status(201).send({ object: 'api_key', ...made });
  });

  const revoking = { tags, summary: 'Revoke an API key', params: byKey, response: { 200: deleted } };
  typed.delete(`${url}/:id/api_keys/:key`, { schema: revoking }, async ({ params }) => {
    await organizations.revokeKey(params.id, params.key);
    return { id: params.key, object: 'api_key', deleted: true as const };
  });
}

const view = ({ id, name, active, managed_by }: OrganizationRow) => ({
  id,
  object: 'organization' as const,
  name,
  active: active === 1,
  managed_by,
});
