import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { z } from 'zod';
import type { CarrierCredentials } from '../telephony/carriers.ts';
import type { ConnectionRow, Connections } from '../telephony/connections.ts';
import { readDefaults } from '../telephony/trunks.ts';
import {
  addConnectionBody,
  byId,
  changeConnectionBody,
  connection,
  deleted,
  list,
  listOf,
} from './telephony-schemas.ts';

const url = '/v1/telephony/connections';
const read = { scope: 'telephony:read' } as const;
const write = { scope: 'telephony:write' } as const;
const tags = ['Telephony: connections'];

/** `/v1/telephony/connections`: the organization's own accounts at carriers. No answer shows their credentials. */
export function telephonyConnectionRoutes(
  app: FastifyInstance,
  connections: Connections,
  publicUrl: string,
): void {
  const typed = app.withTypeProvider<ZodTypeProvider>();
  const connectionView = (row: ConnectionRow) => viewOf(row, publicUrl);

  const adding = {
    tags,
    summary: 'Add a carrier account of your own',
    body: addConnectionBody,
    response: { 201: connection },
  };
  typed.post(url, { config: write, schema: adding }, async ({ body, caller }, reply) => {
    const added = await connections.add(caller.organizationId, credentialsOf(body), body);
    return reply.status(201).send(connectionView(added));
  });

  const listing = { tags, summary: 'List your connections', response: { 200: listOf(connection) } };
  typed.get(url, { config: read, schema: listing }, async ({ caller }) =>
    list(url, (await connections.ofOrganization(caller.organizationId)).map(connectionView)),
  );

  const one = (summary: string) => ({ tags, summary, params: byId, response: { 200: connection } });
  const getting = one('Get a connection');
  typed.get(`${url}/:id`, { config: read, schema: getting }, async ({ params, caller }) =>
    connectionView(await connections.find(caller.organizationId, params.id)),
  );

  const changing = { ...one('Change a connection'), body: changeConnectionBody };
  typed.patch(`${url}/:id`, { config: write, schema: changing }, async ({ params, body, caller }) =>
    connectionView(await connections.update(caller.organizationId, params.id, body)),
  );

  const actions: [string, string, (organization: string, id: string) => Promise<ConnectionRow>][] = [
    ['verify', 'Ask the carrier again', (organization, id) => connections.verify(organization, id)],
    [
      'default',
      'Make a connection the default',
      (organization, id) => connections.makeDefault(organization, id),
    ],
    [
      'activate',
      'Activate a connection',
      (organization, id) => connections.setActive(organization, id, true),
    ],
    [
      'deactivate',
      'Deactivate a connection',
      (organization, id) => connections.setActive(organization, id, false),
    ],
  ];
  for (const [action, summary, act] of actions) {
    const schema = one(summary);
    typed.post(`${url}/:id/${action}`, { config: write, schema }, async ({ params, caller }) =>
      connectionView(await act(caller.organizationId, params.id)),
    );
  }

  const deleting = { tags, summary: 'Delete a connection', params: byId, response: { 200: deleted } };
  typed.delete(`${url}/:id`, { config: write, schema: deleting }, async ({ params: { id }, caller }) => {
    await connections.remove(caller.organizationId, id);
    return { id, object: 'connection', deleted: true as const };
  });
}

const credentialsOf = (body: z.infer<typeof addConnectionBody>): CarrierCredentials =>
  body.provider === 'twilio'
    ? { provider: 'twilio', account_sid: body.account_sid, auth_token: body.auth_token }
    : { provider: 'telnyx', api_key: body.api_key };

const viewOf = (row: ConnectionRow, publicUrl: string) => ({
  id: row.id,
  object: 'connection' as const,
  provider: row.provider,
  name: row.name,
  account_sid: row.account,
  status: row.status,
  status_detail: row.status_detail,
  is_default: row.is_default === 1,
  active: row.active === 1,
  public_key: row.public_key,
  voice_url: `${publicUrl}/v1/carriers/${row.provider}/voice?connection_id=${row.id}`,
  session_defaults: readDefaults(row.session_defaults),
  created_at: new Date(row.created_at).toISOString(),
});
