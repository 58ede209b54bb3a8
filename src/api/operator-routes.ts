import type { FastifyInstance } from 'fastify';
import type { Metrics } from '../telemetry/metrics.ts';
import type { RecentRefusals } from '../telemetry/recent-refusals.ts';
import { authenticateOperator } from './authenticate.ts';
import type { Guard } from './guard.ts';

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

  app.get(
    '/v1/admin/refusals',
    { schema: { tags, summary: 'The latest refusals of SIP requests' } },
    async (request, reply) => {
      await guard.identify(request, reply, () => authenticateOperator(request, adminKey));
      return { object: 'list', data: refusals.list() };
    },
  );
}
