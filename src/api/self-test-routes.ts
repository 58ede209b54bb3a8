import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { selfTestKinds } from '../config/self-test.ts';
import type { SelfTests } from '../self-test/self-tests.ts';
import { pageOf, pageQuery, wantedPage } from './paging.ts';

export interface SelfTestRoutes {
  selfTests: Pick<SelfTests, 'get' | 'list'>;
}

const checkResult = z.enum(['ok', 'warning', 'failed', 'not_seen']);
const time = z.string().nullable();

const report = z.object({
  id: z.string(),
  object: z.literal('sip_test'),
  kind: z.enum(selfTestKinds),
  status: z.enum(['running', 'completed']),
  result: z.enum(['ok', 'warning', 'failed']).describe('The worst of the checks'),
  started_at: z.string(),
  answered_at: time,
  ended_at: time,
  duration_seconds: z.number(),
  reason: z.string().nullable().describe('Why the call ended'),
  ended_by: z.enum(['pbx', 'gateway']).nullable(),
  sip_call_id: z.string(),
  from: z.string(),
  user_agent: z.string().nullable(),
  checks: z.array(
    z.object({
      name: z.string(),
      result: checkResult.describe('not_seen: the call had nothing of it'),
      seen: z.string(),
      advice: z.string().nullable().describe('What to change'),
    }),
  ),
});

const url = '/v1/telephony/sip/tests';
const config = { scope: 'telephony:read' } as const;
const tags = ['Telephony: SIP'];
const schemas = {
  get: {
    ...{ tags, summary: 'Get what a call to a self-test number has found; while it runs, so far' },
    ...{ params: z.object({ id: z.string().max(100) }), response: { 200: report } },
  },
  list: {
    ...{ tags, summary: 'List the calls to self-test numbers that have ended, newest first' },
    ...{ querystring: pageQuery, response: { 200: pageOf(report) } },
  },
};

/** `/v1/telephony/sip/tests`: the reports of self-tests. */
export function selfTestRoutes(app: FastifyInstance, { selfTests }: SelfTestRoutes): void {
  const typed = app.withTypeProvider<ZodTypeProvider>();

  typed.get(`${url}/:id`, { config, schema: schemas.get }, async ({ params, caller }) =>
    selfTests.get(caller.organizationId, params.id),
  );

  typed.get(url, { config, schema: schemas.list }, async ({ query, caller }) => {
    const { reports: data, hasMore } = await selfTests.list(caller.organizationId, wantedPage(query));
    return { object: 'list' as const, data, has_more: hasMore, url };
  });
}
