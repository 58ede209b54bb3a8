import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { ApiError } from '../errors.ts';
import { parseSessionId } from '../ids.ts';
import { type CallRoutes, legsNamed } from './call-routes.ts';
import { dtmfAnswer, dtmfBody } from './dtmf-schemas.ts';
import { sessionParams } from './session-schemas.ts';

const dtmfOptions = {
  config: { scope: 'sessions:write' },
  schema: {
    tags: ['Calls'],
    summary: 'Press keys at the end of a leg',
    description:
      'Answers 202 at once; the keys are pressed one after the other, behind those that wait already and not while the party has us on hold. How many were pressed is in dtmf.sent of GET …/calls. Without leg_id and role it is the only leg that is up.',
    params: sessionParams,
    body: dtmfBody,
    response: { 202: dtmfAnswer },
  },
} as const;

type LegWish = { leg_id?: string | undefined; role?: string | undefined };

/** `POST /v1/sessions/{id}/dtmf`. */
export function dtmfRoutes(
  app: FastifyInstance,
  { sessions, legsOf }: Omit<CallRoutes, 'unrecordedLegsOf'>,
): void {
  const typed = app.withTypeProvider<ZodTypeProvider>();
  typed.post('/v1/sessions/:id/dtmf', dtmfOptions, async ({ params, body, caller }, reply) => {
    const { id, status } = await sessions.ofOrganization(parseSessionId(params.id), caller.organizationId);
    if (status === 'ended') throw new ApiError('session_ended');
    const leg = chooseLeg(legsOf(id), body);
    const run = { digits: body.digits, durationMs: body.duration_ms, gapMs: body.gap_ms };
    const answer = { session_id: id, leg_id: leg.id, role: leg.role, method: leg.press(run) };
    return reply.status(202).send({ object: 'dtmf' as const, ...answer });
  });
}

/** @throws ApiError `leg_not_found`; `invalid_request` when two legs are up and none is named */
function chooseLeg<Leg extends ReturnType<CallRoutes['legsOf']>[number]>(
  legs: readonly Leg[],
  { leg_id, role }: LegWish,
): Leg {
  const [leg, other] = legsNamed(legs, { leg_id, role }).filter(({ state }) => state === 'up');
  const param = leg_id !== undefined ? { param: 'leg_id' } : role !== undefined ? { param: 'role' } : {};
  if (leg === undefined) throw new ApiError('leg_not_found', param);
  if (other === undefined) return leg;
  const message = 'role: two legs are up; name one by role or leg_id';
  throw new ApiError('invalid_request', { param: 'role', message });
}
