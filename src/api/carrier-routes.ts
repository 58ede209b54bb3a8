import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from '../errors.ts';
import type { RefusalBook } from '../telemetry/refusal-book.ts';
import { streamInstructions } from './call-instructions.ts';
import { type CarrierCallsOptions, sessionOfCall } from './carrier-calls.ts';
import { refuseCall } from './carrier-refusals.ts';
import type { Guard } from './guard.ts';
import { streamView, type ViewSettings } from './session-view.ts';
import { callOf, readWebhook, type VoiceWebhook } from './voice-webhook.ts';

export interface CarrierRoutes extends Omit<RefusalBook, 'now'> {
  carriers: Omit<CarrierCallsOptions, 'sessions'> & {
    /** How carriers reach the API: `https://api.example.com`, without a slash at its end. */
    publicUrl: string;
    /** Why no new call is taken now. */
    unavailable: () => 'draining' | 'overloaded' | undefined;
  };
  sessions: CarrierCallsOptions['sessions'];
  view: ViewSettings;
}

/** Many times what a carrier has to say of a call. */
const BODY_MOST_BYTES = 16_384;

const schemaOf = (name: string) => ({
  tags: ['Carriers'],
  summary: `The voice webhook for ${name}`,
  description:
    'A form with CallSid, AccountSid, To, From and Direction, signed by the carrier. The address may name a connection_id, and a session_id with a role. Answers XML that streams the call into its session, or rejects it.',
});

/**
 * `POST /v1/carriers/twilio/voice` and `/telnyx/voice`: what a carrier asks when there is a call, and is answered in TwiML or
 * TeXML. Who asks is known by the carrier's signature; there is no API key, and no limit of one.
 */
export function carrierRoutes(app: FastifyInstance, guard: Guard, options: CarrierRoutes): void {
  app.removeAllContentTypeParsers();
  // Whatever it says it is: what is no form tells of no call, and that is written down.
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: BODY_MOST_BYTES }, (_request, body, done) =>
    done(null, body),
  );
  const book = { ...options, now: options.view.now };
  const answer =
    (carrier: VoiceWebhook['carrier']) => async (request: FastifyRequest, reply: FastifyReply) => {
      const webhook = readWebhook(carrier, request, options.carriers.publicUrl);
      try {
        const recognize = () => options.carriers.accounts.identify(webhook);
        return await streamCall(webhook, reply, options, () =>
          guard.recognize(request, reply, `${carrier} ${webhook.accountSid}`, recognize),
        );
      } catch (error) {
        return refuseCall(webhook, reply, error, book);
      }
    };
  app.post('/v1/carriers/twilio/voice', { schema: schemaOf('Twilio') }, answer('twilio'));
  app.post('/v1/carriers/telnyx/voice', { schema: schemaOf('Telnyx') }, answer('telnyx'));
}

/** Tells the carrier to stream a call into its session. @throws Refusal, ApiError `rate_limit_exceeded` */
async function streamCall(
  webhook: VoiceWebhook,
  reply: FastifyReply,
  { carriers, sessions, view, log, metrics }: CarrierRoutes,
  identify: () => ReturnType<CarrierCallsOptions['accounts']['identify']>,
): Promise<FastifyReply> {
  const { carrier, accountSid } = webhook;
  const unavailable = carriers.unavailable();
  if (unavailable !== undefined) throw new Refusal(unavailable);
  const account = await identify();
  // A signature over another address than this one is the commonest mistake.
  if (account === undefined)
    throw new Refusal(
      'signature_invalid',
      `account ${accountSid.slice(0, 64)}, called at ${webhook.url.slice(0, 300)}`,
    );
  const call = callOf(webhook);
  const { session, role } = await sessionOfCall(call, account, { ...carriers, sessions });
  const { url, token } = streamView(session.id, 'live', view);
  metrics.carrier_webhooks_total.inc({ carrier, outcome: 'answered' });
  log.info({ carrier, call_id: call.callId, session: session.id, role }, 'a carrier sends a call');
  return reply
    .type('text/xml; charset=utf-8')
    .send(
      streamInstructions(carrier, { url, token, sessionId: session.id, role, from: call.from, to: call.to }),
    );
}
