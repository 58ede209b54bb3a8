import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { ApiError, Refusal } from '../errors.ts';
import { parseSessionId } from '../ids.ts';
import { type RoutingSettings, resolveRoute } from '../sessions/routing.ts';
import type { Session } from '../sessions/session.ts';
import { summaryView } from '../sessions/session-view.ts';
import type { Sessions } from '../sessions/sessions.ts';
import { keptAnswer } from './idempotency.ts';
import { sessionAnswer, summaryAnswer } from './session-answers.ts';
import { createSessionBody, sessionParams } from './session-schemas.ts';
import { streamedSessionView, type ViewSettings } from './session-view.ts';

export interface SessionRoutes {
  sessions: Sessions;
  view: ViewSettings;
  /** An organization's telephony settings, as they are now. */
  routingSettings: (organizationId: string) => RoutingSettings | Promise<RoutingSettings>;
  /** Whether a session that is made now could not be called: this node stops, and there is no other. */
  draining: () => boolean;
}

const tags = ['Sessions'];
const createOptions = {
  config: { scope: 'sessions:write', idempotent: true, createsSession: true },
  schema: { tags, summary: 'Create a session', body: createSessionBody, response: { 201: sessionAnswer } },
} as const;
const getOptions = {
  config: { scope: 'sessions:read' },
  schema: {
    tags,
    summary: 'Get a session, with a fresh stream token',
    params: sessionParams,
    response: { 200: sessionAnswer },
  },
} as const;
const endOptions = {
  config: { scope: 'sessions:write', idempotent: true },
  schema: {
    tags,
    summary: 'End a session; of an ended one, get the summary again',
    params: sessionParams,
    response: { 200: summaryAnswer },
  },
} as const;

/** `POST /v1/sessions`, `GET /v1/sessions/{id}`, `POST /v1/sessions/{id}/end` (contract §5). */
export function sessionRoutes(
  app: FastifyInstance,
  { sessions, view, routingSettings, draining }: SessionRoutes,
): void {
  const typed = app.withTypeProvider<ZodTypeProvider>();

  typed.post('/v1/sessions', createOptions, async ({ body, caller }, reply) => {
    if (draining()) throw new Refusal('draining');
    if (body.recording?.enabled)
      throw new ApiError('recording_not_available', { param: 'recording.enabled' });
    const { organizationId, environment } = caller;
    const routing = body.routing ?? undefined;
    const route = resolveRoute(routing, await routingSettings(organizationId));
    const answer = keptAnswer(reply, 201, (session: Session) =>
      streamedSessionView(session, environment, view),
    );
    const wanted = {
      organizationId,
      mode: body.mode,
      sourceLanguage: body.source_language ?? null,
      targetLanguage: body.target_language ?? null,
      mixOriginalDb: body.mix_original_db ?? null,
      routing: routing ?? null,
      metadata: body.metadata ?? null,
      aiAgent: body.ai_agent ?? null,
    };
    return answer.send(await sessions.create(wanted, route, answer.keep));
  });

  typed.get('/v1/sessions/:id', getOptions, async ({ params, caller }) => {
    const session = await sessions.ofOrganization(parseSessionId(params.id), caller.organizationId);
    return streamedSessionView(session, caller.environment, view);
  });

  typed.post('/v1/sessions/:id/end', endOptions, async ({ params, caller }, reply) => {
    const { id } = await sessions.ofOrganization(parseSessionId(params.id), caller.organizationId);
    const answer = keptAnswer(reply, 200, summaryView);
    const event = { type: 'ended', at: view.now(), reason: 'completed' } as const;
    const ended = await sessions.apply(id, event, answer.keep);
    if (ended === undefined) throw new ApiError('session_not_found');
    return answer.send(ended);
  });
}
