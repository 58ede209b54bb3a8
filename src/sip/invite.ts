import { isIPv6 } from 'node:net';
import type { Leg } from '../bridge/leg.ts';
import { Ended } from '../bridge/leg.ts';
import { Refusal } from '../errors.ts';
import { SdpSession } from '../sdp/sdp-session.ts';
import type { AdmittedCall } from './admission.ts';
import { ALLOW, refuse } from './answers.ts';
import { DialogLeg, sdpOf } from './dialog-leg.ts';
import { uriOf } from './header-values.ts';
import type { SipContext } from './sip-context.ts';
import type { SipRequest, SipResponse } from './srf-port.ts';

/** A call comes in: who, what for, a place, media and pipeline, 200 (decisions §3; architecture, "The way of a call"). */
export async function handleInvite(
  context: SipContext,
  request: SipRequest,
  response: SipResponse,
): Promise<void> {
  const startedAt = context.now();
  let leg: Leg | undefined;
  let canceled = false;
  request.on('cancel', () => {
    canceled = true;
    leg?.end('canceled');
  });
  try {
    const call = await context.admission.admitInvite(request);
    if (canceled) return;
    if ('refusal' in call) return refuseCall(context, request, response, call.refusal, call.headers);
    leg = reserve(context, call, request, startedAt);
    await setUp(context, leg, request, response);
  } catch (error) {
    const refusal = asRefusal(error);
    leg?.release();
    if (refusal instanceof Refusal) refuseCall(context, request, response, refusal);
    else if (refusal !== undefined) throw refusal;
  }
}

function refuseCall(
  ...[context, ...rest]: Parameters<typeof refuse> extends [unknown, ...infer R] ? [SipContext, ...R] : never
): void {
  context.metrics.setups_total.inc({ outcome: 'refused' });
  refuse(context, ...rest);
}

/** Rows 11 and 12, synchronous. */
function reserve(context: SipContext, call: AdmittedCall, request: SipRequest, startedAt: number): Leg {
  return context.bridges.reserve({
    session: call.session,
    role: call.role,
    concurrencyLimit: call.concurrencyLimit,
    facts: {
      callId: request.get('Call-ID') ?? '',
      from: uriOf(request.get('From') ?? ''),
      to: request.uri,
      sourceAddress: call.sourceAddress,
      transport: request.protocol,
      startedAt,
    },
  });
}

/** Rows 13 to 15, then the answer. */
async function setUp(
  context: SipContext,
  leg: Leg,
  request: SipRequest,
  response: SipResponse,
): Promise<void> {
  const sdp = new SdpSession({ codecs: null, srtp: 'off' });
  const offer = sdpOf(request);
  const family = offer === undefined ? familyOf(leg.facts.sourceAddress) : sdp.check(offer).family;
  const port = await leg.start({ family, onWaiting: () => ring(leg, response) });
  const local = { address: port.address, rtpPort: port.rtpPort };
  const answer = offer === undefined ? undefined : sdp.answer(offer, local);
  if (answer) leg.configure({ ...answer.media, moved: false });
  const localSdp = answer?.sdp ?? sdp.offer(local, family);
  const answered = { leg, sdp, local, family, lateOffer: answer ? undefined : request };
  context.srf().answer(request, response, { localSdp, headers: { Allow: ALLOW } }, (error, dialog) => {
    if (dialog) {
      context.admission.succeeded(leg.facts.sourceAddress);
      leg.answered(new DialogLeg(context, { ...answered, dialog }));
    } else leg.end(/487|unknown transaction/i.test(String(error)) ? 'canceled' : 'error');
  });
}

function ring(leg: Leg, response: SipResponse): void {
  if (leg.state === 'setting_up' && !response.finalResponseSent) response.send(180);
}

const familyOf = (address: string): 4 | 6 => (isIPv6(address) && !address.startsWith('::ffff:') ? 6 : 4);

/** What a failed set-up is answered; undefined when there is nothing to answer any more. */
function asRefusal(error: unknown): unknown {
  return error instanceof Ended ? error.asRefusal() : error;
}
