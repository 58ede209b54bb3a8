import { isIPv6 } from 'node:net';
import { Ended } from '../bridge/ended.ts';
import { Refusal, refusalOf } from '../errors.ts';
import { SdpSession } from '../sdp/sdp-session.ts';
import type { AdmittedCall, AdmittedTest } from './admission.ts';
import { ALLOW, answerEarlyUpdate, refuse, SUPPORTED } from './answers.ts';
import type { CallLeg } from './call-leg.ts';
import { DialogLeg, sdpOf } from './dialog-leg.ts';
import { guard } from './drachtio-connection.ts';
import { addressParameter, agentOf, extensionHeaders, headerList, uriOf } from './header-values.ts';
import { inviteSeen } from './self-test-invite.ts';
import { sessionTimer, tooShortInterval } from './session-timer.ts';
import type { SipContext } from './sip-context.ts';
import type { SipRequest, SipResponse } from './srf-port.ts';

/** What became of an INVITE, for the metrics; each is counted once. */
type Outcome = 'answered' | 'refused' | 'challenged' | 'canceled' | 'lost';

/** A call comes in: who, what for, a place, media and pipeline, 200 (decisions §3; architecture, "The way of a call"). */
export async function handleInvite(
  context: SipContext,
  request: SipRequest,
  response: SipResponse,
): Promise<void> {
  const outcome = await takeCall(context, request, response);
  context.metrics.setups_total.inc({ outcome });
}

async function takeCall(context: SipContext, request: SipRequest, response: SipResponse): Promise<Outcome> {
  const startedAt = context.now();
  let leg: CallLeg | undefined;
  let abandon: (() => void) | undefined;
  let canceled = false;
  const cancel = () => {
    canceled = true;
    leg?.end('canceled');
  };
  request.on('cancel', guard(context.log, cancel));
  request.on('update', guard(context.log, answerEarlyUpdate));
  try {
    checkForm(request);
    const call = await context.admission.admitInvite(request);
    if (canceled) return 'canceled';
    if ('refusal' in call) {
      refuse(context, request, response, call.refusal, call.headers);
      return call.refusal.code === 'credentials_required' ? 'challenged' : 'refused';
    }
    const minSession = tooShortInterval(request, context.sessionTimers);
    if (minSession !== undefined) {
      refuse(context, request, response, new Refusal('session_interval_too_small'), minSession);
      return 'refused';
    }
    const place = reserve(context, call, request, startedAt);
    ({ leg, abandon } = place);
    context.srf().carry(leg);
    return await setUp(context, call, place, request, response);
  } catch (error) {
    leg?.release();
    const refusal = error instanceof Ended ? error.asRefusal() : refusalOf(error);
    if (refusal === undefined && error instanceof Ended) return canceled ? 'canceled' : 'lost';
    const call = { call_id: request.get('Call-ID') };
    if (refusal === undefined) context.log.error({ err: error, ...call }, 'a call could not be set up');
    refuse(context, request, response, refusal ?? new Refusal('internal_error'));
    return 'refused';
  } finally {
    // Nobody else was told its id, so that nobody can come to it any more.
    if (!leg?.wasUp) abandon?.();
  }
}

/**
 * An INVITE in a dialog that is not there, or without the Contact that a dialog needs; the embedded engine stops both.
 * @throws Refusal `no_dialog`, `bad_request`
 */
function checkForm(request: SipRequest): void {
  if (isInDialog(request)) throw new Refusal('no_dialog');
  if (request.get('Contact') === undefined) throw new Refusal('bad_request', 'no Contact');
}

const isInDialog = (request: SipRequest): boolean =>
  addressParameter(request.get('To') ?? '', 'tag') !== undefined;

/** Where an admitted call has its place. */
interface Place {
  leg: CallLeg;
  organizationId: string;
  /** Header of the 200 that names what the caller does not know. */
  naming: Record<string, string>;
  /** Of an inbound-first call, whose session is new. */
  onPort?: (() => Promise<void>) | undefined;
  abandon?: (() => void) | undefined;
}

/** Rows 11 and 12, synchronous. */
function reserve(
  context: SipContext,
  call: AdmittedCall | AdmittedTest,
  request: SipRequest,
  startedAt: number,
): Place {
  if ('selfTest' in call) {
    const { selfTest: kind, organizationId, concurrencyLimit } = call;
    const invite = inviteSeen(request, call, context.sessionTimers);
    const leg = context.selfTests.reserve({ kind, organizationId, concurrencyLimit, invite });
    return { leg, organizationId, naming: { 'X-Kallglot-Test': leg.id } };
  }
  const { session, newSession } = call;
  return {
    leg: reserveLeg(context, call, request, startedAt),
    organizationId: session.organizationId,
    naming: newSession ? { 'X-Kallglot-Session': session.id } : {},
    onPort: newSession?.save,
    abandon: newSession?.abandon,
  };
}

function reserveLeg(
  context: SipContext,
  call: AdmittedCall,
  request: SipRequest,
  startedAt: number,
): CallLeg {
  return context.bridges.reserve({
    session: call.session,
    role: call.role,
    concurrencyLimit: call.concurrencyLimit,
    facts: {
      provider: 'sip',
      direction: 'inbound',
      callId: request.get('Call-ID') ?? '',
      carrierCallId: null,
      from: uriOf(request.get('From') ?? ''),
      to: request.uri,
      sourceAddress: call.sourceAddress,
      userAgent: agentOf(request.get('User-Agent')),
      transport: request.protocol,
      startedAt,
      headers: extensionHeaders(request.headers),
    },
  });
}

/** Rows 13 to 15, then the answer. */
async function setUp(
  context: SipContext,
  { mediaTimeoutSeconds, codecs, srtp }: AdmittedCall | AdmittedTest,
  { leg, organizationId, naming, onPort }: Place,
  request: SipRequest,
  response: SipResponse,
): Promise<Outcome> {
  const { sourceAddress, transport } = leg.facts;
  const sdp = new SdpSession({ codecs, srtp, tls: transport === 'tls' });
  const offer = sdpOf(request);
  if (offer === undefined) sdp.checkLateOffer();
  const family = offer === undefined ? familyOf(sourceAddress) : sdp.check(offer).family;
  const port = await leg.start({
    family,
    timeoutSeconds: mediaTimeoutSeconds,
    onPort,
    onWaiting: () => ring(leg, request, response),
  });
  const local = { address: port.address, rtpPort: port.rtpPort };
  const answer = offer === undefined ? undefined : sdp.answer(offer, local);
  if (answer) leg.configure({ ...answer.media, moved: false });
  const localSdp = answer?.sdp ?? sdp.offer(local, family);
  const answered = { leg, sdp, local, family, lateOffer: answer ? undefined : request };
  const headers = {
    Allow: ALLOW,
    Supported: SUPPORTED.join(', '),
    ...sessionTimer(request, context.sessionTimers),
    ...naming,
  };
  return new Promise((resolve) => {
    context.srf().answer(request, response, { localSdp, headers }, (error, dialog) => {
      if (dialog) {
        context.admission.succeeded(sourceAddress, organizationId);
        leg.answered(new DialogLeg(context, { ...answered, dialog }));
        return resolve('answered');
      }
      const canceled = /487|unknown transaction/i.test(String(error));
      leg.end(canceled ? 'canceled' : 'error');
      resolve(canceled ? 'canceled' : 'lost');
    });
  });
}

/** A caller that insists on it gets a 180 that it acknowledges with PRACK (RFC 3262 §3). */
function ring(leg: CallLeg, request: SipRequest, response: SipResponse): void {
  if (leg.state !== 'setting_up' || response.finalResponseSent) return;
  const reliable = headerList(request.get('Require')).some((tag) => tag.toLowerCase() === '100rel');
  response.send(180, { headers: reliable ? { Require: '100rel' } : {} });
}

/** The engine has matched a PRACK to its 180, and 200 is all that is owed (RFC 3262 §3): no SDP of ours was in it. */
export function answerPrack(context: SipContext, request: SipRequest, response: SipResponse): void {
  if (isInDialog(request)) response.send(200);
  else refuse(context, request, response, new Refusal('no_dialog'));
}

const familyOf = (address: string): 4 | 6 => (isIPv6(address) && !address.startsWith('::ffff:') ? 6 : 4);
