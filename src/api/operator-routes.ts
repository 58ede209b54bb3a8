import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Metrics } from '../telemetry/metrics.ts';
import type { RecentRefusals } from '../telemetry/recent-refusals.ts';
import { authenticateOperator } from './authenticate.ts';
import type { Guard } from './guard.ts';
import { list, listOf } from './telephony-schemas.ts';

export interface OperatorRoutes {
  guard: Guard;
  adminKey: string | undefined;
  metrics: Metrics;
  refusals: RecentRefusals;
  /** What keeps the gateway from taking calls, in plain words; empty when it is ready. */
  notReady: () => string[];
  /** How much of each resource is in use, and from where on no new calls are taken. */
  capacity: () => Readonly<Record<string, Readonly<{ value: number; limit: number; exhausted: boolean }>>>;
}

const tags = ['Operator'];
const refusalsUrl = '/v1/admin/refusals';
const refusal = z.object({
  at: z.iso.datetime(),
  code: z.string(),
  status: z.number(),
  method: z.string(),
  source: z.string(),
  call_id: z.string(),
  called: z.string(),
  detail: z.string().nullable().describe('What was wrong with this one, where there is more to say'),
});

/** What an operator and a load balancer ask: `/healthz`, `/readyz`, `/metrics`, `/v1/admin/refusals`. */
export function operatorRoutes(
  app: FastifyInstance,
  { guard, adminKey, metrics, refusals, notReady, capacity }: OperatorRoutes,
): void {
  app.get('/healthz', { schema: { tags, summary: 'Whether the process is alive' } }, async () => ({
    status: 'ok',
  }));

  app.get('/readyz', { schema: { tags, summary: 'Whether it takes calls' } }, async (_request, reply) => {
    const reasons = notReady();
    const ready = reasons.length === 0;
    const status = ready ? 'ready' : 'not_ready';
    return reply.status(ready ? 200 : 503).send({ status, reasons, capacity: capacity() });
  });

  app.get(
    '/metrics',
    { schema: { tags, summary: 'Metrics in the text format of Prometheus' } },
    async (_request, reply) =>
      reply.type('text/plain; version=0.0.4; charset=utf-8').send(await metrics.scrape()),
  );

  const summary = 'The latest refusals of calls, newest first';
  app
    .withTypeProvider<ZodTypeProvider>()
    .get(
      refusalsUrl,
      { schema: { tags, summary, response: { 200: listOf(refusal) } } },
      async (request, reply) => {
        await guard.identify(request, reply, () => authenticateOperator(request, adminKey));
        return list(refusalsUrl, refusals.list());
      },
    );
}
