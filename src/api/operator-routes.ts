import type { FastifyInstance } from 'fastify';
import type { Metrics } from '../telemetry/metrics.ts';
import type { RecentRefusals } from '../telemetry/recent-refusals.ts';
import { authenticateOperator } from './authenticate.ts';

export interface OperatorRoutes {
  adminKey: string | undefined;
  metrics: Metrics;
  refusals: RecentRefusals;
  /** What keeps the gateway from taking calls, in plain words; empty when it is ready. */
  notReady: () => string[];
}

/** What an operator and a load balancer ask: `/healthz`, `/readyz`, `/metrics`, `/v1/admin/refusals`. */
export function operatorRoutes(
  app: FastifyInstance,
  { adminKey, metrics, refusals, notReady }: OperatorRoutes,
): void {
  app.get('/healthz', async () => ({ status: 'ok' }));

  app.get('/readyz', async (_request, reply) => {
    const reasons = notReady();
    const ready = reasons.length === 0;
    return reply.status(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not_ready', reasons });
  });

  app.get('/metrics', async (_request, reply) =>
    reply.type('text/plain; version=0.0.4; charset=utf-8').send(await metrics.scrape()),
  );

  app.get('/v1/admin/refusals', async (request) => {
    authenticateOperator(request, adminKey);
    return { object: 'list', data: refusals.list() };
  });
}
