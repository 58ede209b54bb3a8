import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { ApiError } from '../errors.ts';
import { parseSessionId } from '../ids.ts';
import { type RoutingSettings, resolveRoute } from '../sessions/routing.ts';
import type { Sessions } from '../sessions/sessions.ts';
import { createSessionBody } from './session-schemas.ts';
import { sessionView, summaryView, type ViewSettings } from './session-view.ts';

export interface SessionRoutes {
  sessions: Sessions;
  view: ViewSettings;
  /** An organization's telephony settings, as they are now. */
  routingSettings: (organizationId: string) => RoutingSettings;
  draining: () => boolean;
}

const idOf = (params: unknown) => parseSessionId((params as { id: string }).id);

/** `POST /v1/sessions`, `GET /v1/sessions/{id}`, `POST /v1/sessions/{id}/end` (contract §5). */
export function sessionRoutes(
  app: FastifyInstance,
  { sessions, view, routingSettings, draining }: SessionRoutes,
): void {
  const typed = app.withTypeProvider<ZodTypeProvider>();

  typed.post('/v1/sessions', { schema: { body: createSessionBody } }, async ({ body, caller }, reply) => {
    if (draining()) throw new ApiError('draining', { retryAfter: 5 });
    if (body.recording?.enabled)
      throw new ApiError('recording_not_available', { param: 'recording.enabled' });
    const { organizationId, environment } = caller;
    const routing = body.routing ?? undefined;
    const route = resolveRoute(routing, routingSettings(organizationId));
    const session = await sessions.create(
      {
        organizationId,
        mode: body.mode,
        sourceLanguage: body.source_language ?? null,
        targetLanguage: body.target_language ?? null,
        routing: routing ?? null,
        metadata: body.metadata ?? null,
        aiAgent: body.ai_agent ?? null,
      },
      route,
    );
    return reply.status(201).send(sessionView(session, environment, view));
  });

  typed.get('/v1/sessions/:id', async ({ params, caller }) => {
    const session = await sessions.ofOrganization(idOf(params), caller.organizationId);
    return sessionView(session, caller.environment, view);
  });

  typed.post('/v1/sessions/:id/end', async ({ params, caller }) => {
    const { id } = await sessions.ofOrganization(idOf(params), caller.organizationId);
    const ended = await sessions.apply(id, { type: 'ended', at: view.now(), reason: 'completed' });
    if (ended === undefined) throw new ApiError('session_not_found');
    return summaryView(ended);
  });
}
