import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Registration, Registrations } from '../telephony/registrations.ts';
import { authenticateOperator } from './authenticate.ts';
import type { Guard } from './guard.ts';
import { pageOf } from './paging.ts';

export interface RegistrationRoutes {
  adminKey: string | undefined;
  registrations: Pick<Registrations, 'list'>;
}

const url = '/v1/admin/registrations';
const MOST = 1000;
const time = z.iso.datetime();

export const registration = z
  .object({
    object: z.literal('registration'),
    organization_id: z.string(),
    aor: z.string().describe('Address of record: the To of the REGISTER'),
    contact: z.string(),
    source_address: z.string(),
    registered_at: time,
    expires_at: time,
  })
  .meta({
    examples: [
      {
        object: 'registration',
        organization_id: 'acme',
        aor: 'sip:acme@sip.kallglot.com',
        contact: 'sip:acme@192.0.2.10:5060',
        source_address: '192.0.2.10',
        registered_at: '2026-03-01T09:00:02.120Z',
        expires_at: '2026-03-01T10:00:02.120Z',
      },
    ],
  });

/** `GET /v1/admin/registrations`: which PBXs have registered, for the operator; calls are never sent there. */
export function registrationRoutes(
  app: FastifyInstance,
  guard: Guard,
  { adminKey, registrations }: RegistrationRoutes,
): void {
  const typed = app.withTypeProvider<ZodTypeProvider>();
  app.addHook('onRequest', (request, reply) =>
    guard.identify(request, reply, () => authenticateOperator(request, adminKey)),
  );
  const listing = {
    tags: ['Operator'],
    summary: `List the registrations of PBXs, the latest first, ${MOST} at most`,
    response: { 200: pageOf(registration) },
  };
  typed.get(url, { schema: listing }, async () => {
    const found = await registrations.list(MOST + 1);
    const data = found.slice(0, MOST).map(view);
    return { object: 'list' as const, data, has_more: found.length > MOST, url };
  });
}

const view = ({ organizationId, aor, contact, sourceAddress, registeredAt, expiresAt }: Registration) => ({
  object: 'registration' as const,
  organization_id: organizationId,
  aor,
  contact,
  source_address: sourceAddress,
  registered_at: new Date(registeredAt).toISOString(),
  expires_at: new Date(expiresAt).toISOString(),
});
