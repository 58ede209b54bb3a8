import { isIPv4 } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { z } from 'zod';
import type { Dials, DialWish } from '../bridge/dials.ts';
import type { Leg } from '../bridge/leg.ts';
import { ApiError } from '../errors.ts';
import { parseSessionId } from '../ids.ts';
import { callView } from '../sessions/call-view.ts';
import type { Session } from '../sessions/session.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { OpenCallRecord } from '../telemetry/call-record.ts';
import type { ApiCaller } from '../telephony/api-keys.ts';
import { callerOf } from '../telephony/caller-id.ts';
import { type IsOwn, resolveDestination } from '../telephony/destination.ts';
import type { OutboundTrunks } from '../telephony/outbound-trunks.ts';
import type { Trunk } from '../telephony/trunks.ts';
import { dialBody } from './dial-schemas.ts';
import { standardTiming } from './dtmf-schemas.ts';
import { keptAnswer } from './idempotency.ts';
import { callAnswer } from './session-answers.ts';
import { sessionParams } from './session-schemas.ts';

export interface DialRoutes {
  sessions: Sessions;
  dialing: {
    dials: Dials;
    outbound: OutboundTrunks;
    trunkOf: (organizationId: string) => Trunk | undefined;
    /** Whether there is an engine to call with. */
    engineIsUp: () => boolean;
    isOwn: IsOwn;
    /** Of this gateway, for callers that have no other. */
    domain: string;
    /** Of the media that is offered to a host whose name does not tell. */
    mediaFamily: 4 | 6;
  };
}

type DialBody = z.infer<typeof dialBody>;

/** The longest ringing, and what comes before and after it. */
const ANSWERS_WITHIN_MS = 180_000;
/** What was decided is on disk before it is told, unless the store takes longer than this. */
const WRITTEN_WITHIN_MS = 2000;
const HEADERS_MOST = 20;

const dialOptions = {
  config: { scope: 'sessions:write', idempotent: true, answersWithinMs: ANSWERS_WITHIN_MS },
  schema: {
    tags: ['Calls'],
    summary: 'Call somebody into a session',
    description:
      'Answers 202 at once; GET …/calls and the webhooks tell what becomes of it (session.dial.ringing, session.provider.connected, session.dial.failed). With "wait": true it answers 200 when the call is up, or 502 with the SIP status.',
    params: sessionParams,
    body: dialBody,
    response: { 200: callAnswer, 202: callAnswer },
  },
} as const;

/** `POST /v1/sessions/{id}/dial` (contract §5.6). */
export function dialRoutes(app: FastifyInstance, { sessions, dialing }: DialRoutes): void {
  const typed = app.withTypeProvider<ZodTypeProvider>();
  typed.post('/v1/sessions/:id/dial', dialOptions, async ({ params, body, caller }, reply) => {
    const session = await sessions.ofOrganization(parseSessionId(params.id), caller.organizationId);
    const wish = await wishOf(session, body, caller, dialing);
    const answer = keptAnswer(reply, 202, (record: OpenCallRecord) => callView(record));
    // One who waits gets the outcome, and that is what is repeated for its key.
    const also = body.wait ? undefined : answer.keep;
    const write = (leg: Leg) => sessions.dialing(leg.describe(), leg.record(), also);
    const { leg, settled } = await dialing.dials.begin(wish, write);
    if (!body.wait) return answer.send(leg.record());
    await settled;
    await Promise.race([
      leg.written(),
      new Promise((resolve) => setTimeout(resolve, WRITTEN_WITHIN_MS).unref()),
    ]);
    if (!leg.wasUp) throw dialFailed(leg.record());
    return reply.status(200).send(callView(leg.record()));
  });
}

/** @throws ApiError for everything that forbids the call */
async function wishOf(
  session: Session,
  body: DialBody,
  { organizationId }: ApiCaller,
  { outbound, trunkOf, engineIsUp, isOwn, domain, mediaFamily }: DialRoutes['dialing'],
): Promise<DialWish> {
  if (session.status === 'ended') throw new ApiError('session_ended');
  if (session.provider !== 'sip') throw new ApiError('session_not_sip');
  const trunk = trunkOf(organizationId);
  if (!trunk?.sipEnabled) throw new ApiError('sip_not_enabled');
  const policy = await outbound.policyOf(organizationId);
  const destination = resolveDestination(body.to.trim(), policy, isOwn);
  if (!engineIsUp()) throw new ApiError('engine_unavailable', { retryAfter: 2 });
  const { uri, party, host, transport, throughTrunk, credentials } = destination;
  if (trunk.srtp === 'required' && transport !== 'tls') throw new ApiError('srtp_needs_tls', { param: 'to' });
  return {
    session,
    role: body.role,
    transport,
    concurrencyLimit: trunk.concurrencyLimit,
    call: {
      uri,
      to: party,
      from: callerOf(body.caller_id, policy, destination, domain),
      assertsCaller: throughTrunk,
      credentials,
      headers: headersOf(session, body.headers ?? {}),
      family: host.startsWith('[') ? 6 : isIPv4(host) ? 4 : mediaFamily,
      srtp: trunk.srtp,
      keys: body.send_digits === undefined ? null : { digits: body.send_digits, ...standardTiming },
      ringSeconds: body.ring_seconds,
      mediaTimeoutSeconds: trunk.mediaTimeoutSeconds,
      codecs: trunk.codecs,
    },
  };
}

/**
 * The `X-` headers of the session's routing, and over them those of the dial; the gateway's own are nobody else's to set.
 * @throws ApiError `invalid_request` when there are too many
 */
function headersOf(session: Session, own: Readonly<Record<string, string>>): Record<string, string> {
  const { sip } = (session.routing ?? {}) as { sip?: { headers?: Record<string, string> } };
  const merged = new Map<string, [string, string]>();
  for (const [name, value] of [...Object.entries(sip?.headers ?? {}), ...Object.entries(own)])
    if (!/^x-kallglot-/i.test(name)) merged.set(name.toLowerCase(), [`X-${name.slice(2)}`, value]);
  if (merged.size > HEADERS_MOST) {
    const message = `headers: must be ${HEADERS_MOST} at most, with those of the session's routing`;
    throw new ApiError('invalid_request', { param: 'headers', message });
  }
  return Object.fromEntries(merged.values());
}

function dialFailed({ leg_id, reason, sip_status }: OpenCallRecord): ApiError {
  const how = sip_status === null || reason !== 'dial_failed' ? String(reason) : `SIP status ${sip_status}`;
  const message = `The call was not answered: ${how}.`;
  return new ApiError('dial_failed', { message, facts: { leg_id, reason, sip_status } });
}
