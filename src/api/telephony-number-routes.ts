import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { NumberRow, Numbers } from '../telephony/numbers.ts';
import { readDefaults } from '../telephony/trunks.ts';
import {
  availableNumber,
  buyNumberBody,
  byId,
  changeNumberBody,
  deleted,
  list,
  listOf,
  number,
} from './telephony-schemas.ts';

const url = '/v1/telephony/numbers';
const read = { scope: 'telephony:read' } as const;
const write = { scope: 'telephony:write' } as const;
const tags = ['Telephony: numbers'];

/** `/v1/telephony/numbers`: what can be bought, and what the organization has. */
export function telephonyNumberRoutes(app: FastifyInstance, numbers: Numbers): void {
  const typed = app.withTypeProvider<ZodTypeProvider>();

  const offer = {
    tags,
    summary: 'List the phone numbers that can be bought',
    response: { 200: listOf(availableNumber) },
  };
  typed.get(`${url}/available`, { config: read, schema: offer }, async () => {
    const available = await numbers.available();
    return list(
      `${url}/available`,
      available.map((one) => ({ object: 'available_number' as const, ...one })),
    );
  });

  const owned = { tags, summary: 'List your phone numbers', response: { 200: listOf(number) } };
  typed.get(url, { config: read, schema: owned }, async ({ caller }) =>
    list(url, (await numbers.ofOrganization(caller.organizationId)).map(numberView)),
  );

  const buying = { tags, summary: 'Buy a phone number', body: buyNumberBody, response: { 201: number } };
  typed.post(url, { config: write, schema: buying }, async ({ body, caller }, reply) => {
    const bought = await numbers.buy(caller.organizationId, body.phone_number);
    return reply.status(201).send(numberView(bought));
  });

  const changing = {
    tags,
    summary: 'Change what the sessions of its calls get',
    params: byId,
    body: changeNumberBody,
    response: { 200: number },
  };
  typed.patch(`${url}/:id`, { config: write, schema: changing }, async ({ params, body, caller }) => {
    const changed = await numbers.setDefaults(caller.organizationId, params.id, body.session_defaults);
    return numberView(changed);
  });

  for (const [action, active] of [
    ['activate', true],
    ['deactivate', false],
  ] as const) {
    const summary = active ? 'Activate a phone number' : 'Deactivate a phone number';
    const schema = { tags, summary, params: byId, response: { 200: number } };
    typed.post(`${url}/:id/${action}`, { config: write, schema }, async ({ params, caller }) =>
      numberView(await numbers.setActive(caller.organizationId, params.id, active)),
    );
  }

  const releasing = { tags, summary: 'Release a phone number', params: byId, response: { 200: deleted } };
  typed.delete(`${url}/:id`, { config: write, schema: releasing }, async ({ params: { id }, caller }) => {
    await numbers.release(caller.organizationId, id);
    return { id, object: 'phone_number', deleted: true as const };
  });
}

const numberView = ({ id, phone_number, carrier, active, session_defaults, created_at }: NumberRow) => ({
  id,
  object: 'phone_number' as const,
  phone_number,
  carrier,
  active: active === 1,
  session_defaults: readDefaults(session_defaults),
  created_at: new Date(created_at).toISOString(),
});
