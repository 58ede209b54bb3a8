import { ACCEPT, ALLOW, refuse, SUPPORTED } from './answers.ts';
import type { SipContext } from './sip-context.ts';
import type { SipRequest, SipResponse } from './srf-port.ts';

const capabilities = { Allow: ALLOW, Accept: ACCEPT, Supported: SUPPORTED.join(', ') };

/**
 * Answers the pings of PBXs and dispatchers: 200 with what is there, 503 while no new call would be taken, so that they
 * move on (decisions §3). An OPTIONS says nothing about any session, whomever it comes from.
 */
export function answerOptions(context: SipContext, request: SipRequest, response: SipResponse): void {
  const refused = context.admission.admitOptions(request);
  if (refused) refuse(context, request, response, refused.refusal, refused.headers);
  else response.send(200, { headers: capabilities });
}

/** OPTIONS inside a dialog asks whether the call is still there, and it is. */
export function answerOptionsInDialog(_request: SipRequest, response: SipResponse): void {
  response.send(200, { headers: capabilities });
}
