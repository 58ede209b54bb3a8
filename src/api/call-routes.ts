import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Leg } from '../bridge/leg.ts';
import { ApiError } from '../errors.ts';
import { parseSessionId, type SessionId } from '../ids.ts';
import { callView } from '../sessions/call-view.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { OpenCallRecord } from '../telemetry/call-record.ts';
import { callsAnswer } from './session-answers.ts';
import { hangUpBody, sessionParams } from './session-schemas.ts';

export interface CallRoutes {
  sessions: Sessions;
  /** The legs of a session that are up or being set up. */
  legsOf: (id: SessionId) => readonly Pick<Leg, 'id' | 'role' | 'state' | 'hangUp' | 'press' | 'record'>[];
  /** Those, and the ones that have ended and whose records are not kept yet. */
  unrecordedLegsOf: (id: SessionId) => readonly Pick<Leg, 'record'>[];
}

/** Of these legs the ones that a request means; all when it names none. */
export const legsNamed = <Named extends Pick<Leg, 'id' | 'role'>>(
  legs: readonly Named[],
  { leg_id, role }: { leg_id?: string | undefined; role?: string | undefined },
): Named[] =>
  legs.filter(
    (leg) => (leg_id === undefined || leg.id === leg_id) && (role === undefined || leg.role === role),
  );

const tags = ['Calls'];
const hangUpOptions = {
  config: { scope: 'sessions:write' },
  schema: {
    tags,
    summary: 'Hang up one leg of a session, or all',
    params: sessionParams,
    body: hangUpBody,
    response: { 200: callsAnswer },
  },
} as const;
const callsOptions = {
  config: { scope: 'sessions:read' },
  schema: {
    tags,
    summary: 'List the legs of a session, those that are up and those that have ended',
    params: sessionParams,
    response: { 200: callsAnswer },
  },
} as const;

/** `POST /v1/sessions/{id}/hangup` and `GET /v1/sessions/{id}/calls`. */
export function callRoutes(app: FastifyInstance, { sessions, legsOf, unrecordedLegsOf }: CallRoutes): void {
  const typed = app.withTypeProvider<ZodTypeProvider>();

  typed.post('/v1/sessions/:id/hangup', hangUpOptions, async ({ params, body, caller }) => {
    const { id, status } = await sessions.ofOrganization(parseSessionId(params.id), caller.organizationId);
    if (status === 'ended') throw new ApiError('session_ended');
    const wish = body ?? {};
    const legs = legsNamed(legsOf(id), wish);
    if (wish.leg_id !== undefined && legs.length === 0)
      throw new ApiError('leg_not_found', { param: 'leg_id' });
    for (const leg of legs) leg.hangUp();
    return list(
      `/v1/sessions/${id}/hangup`,
      legs.map((leg) => leg.record()),
    );
  });

  typed.get('/v1/sessions/:id/calls', callsOptions, async ({ params, caller }) => {
    const { id } = await sessions.ofOrganization(parseSessionId(params.id), caller.organizationId);
    const unrecorded = unrecordedLegsOf(id).map((leg) => leg.record());
    const ended: OpenCallRecord[] = await sessions.calls(id);
    const calls = [
      ...ended,
      ...unrecorded.filter(({ leg_id }) => !ended.some((one) => one.leg_id === leg_id)),
    ];
    return list(`/v1/sessions/${id}/calls`, calls);
  });
}

const list = (url: string, calls: OpenCallRecord[]) => ({
  object: 'list' as const,
  data: calls.map(callView),
  has_more: false,
  url,
});
