import { isIP } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ApiError } from '../errors.ts';
import { authenticateOperator } from './authenticate.ts';
import type { Guard } from './guard.ts';
import { deleted, list, listOf } from './telephony-schemas.ts';

/** A ban as the SIP side keeps it; times are wall clock, ms. */
interface Ban {
  source: string;
  cause: (typeof causes)[number];
  count: number;
  since: number;
  until: number;
}

export interface BanRoutes {
  adminKey: string | undefined;
  /** The bans of this gateway. */
  bans: {
    list(): Ban[];
    ban(address: string, forMs: number): Ban;
    /** @returns whether there was one */
    lift(address: string): boolean;
  };
  /** How long a ban by hand lasts when nothing is said. */
  banSeconds: number;
}

const url = '/v1/admin/bans';
const tags = ['Operator'];
const causes = ['wrong_credentials', 'scanner', 'operator'] as const;
const MOST_SECONDS = 31 * 86_400;
const time = z.iso.datetime();
const address = z
  .string()
  .max(64)
  .refine((text) => isIP(text) !== 0, 'must be an IPv4 or IPv6 address');

export const ban = z
  .object({
    address: z.string(),
    object: z.literal('ban'),
    cause: z.enum(causes),
    count: z.number().describe('Strikes that brought it about; 0 by hand'),
    since: time,
    until: time,
  })
  .meta({
    examples: [
      {
        address: '203.0.113.66',
        object: 'ban',
        cause: 'wrong_credentials',
        count: 10,
        since: '2026-03-01T09:00:02.120Z',
        until: '2026-03-01T09:05:02.120Z',
      },
    ],
  });
export const banBody = z
  .object({ address, seconds: z.number().int().min(1).max(MOST_SECONDS).optional() })
  .meta({ examples: [{ address: '203.0.113.66', seconds: 3600 }] });

/** `/v1/admin/bans`: addresses that are not served for a while, for the operator. */
export function banRoutes(
  app: FastifyInstance,
  guard: Guard,
  { adminKey, bans, banSeconds }: BanRoutes,
): void {
  const typed = app.withTypeProvider<ZodTypeProvider>();
  app.addHook('onRequest', (request, reply) =>
    guard.identify(request, reply, () => authenticateOperator(request, adminKey)),
  );

  const listing = { tags, summary: 'List the banned addresses', response: { 200: listOf(ban) } };
  typed.get(url, { schema: listing }, async () => list(url, bans.list().map(view)));

  const banning = {
    tags,
    summary: 'Ban an address by hand, also one that organizations call from',
    body: banBody,
    response: { 201: ban },
  };
  typed.post(url, { schema: banning }, async ({ body }, reply) =>
    reply.status(201).send(view(bans.ban(body.address, (body.seconds ?? banSeconds) * 1000))),
  );

  const lifting = {
    tags,
    summary: 'Lift a ban',
    params: z.object({ address }),
    response: { 200: deleted },
  };
  typed.delete(`${url}/:address`, { schema: lifting }, async ({ params }) => {
    if (!bans.lift(params.address)) throw new ApiError('ban_not_found');
    return { id: params.address, object: 'ban', deleted: true as const };
  });
}

const view = ({ source, cause, count, since, until }: Ban) => ({
  address: source,
  object: 'ban' as const,
  cause,
  count,
  since: new Date(since).toISOString(),
  until: new Date(until).toISOString(),
});
