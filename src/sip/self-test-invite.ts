import type { HostPort, InviteSeen } from '../self-test/seen.ts';
import type { AdmittedTest } from './admission.ts';
import { agentOf, splitAddresses, uriOf } from './header-values.ts';
import { type SessionTimerSettings, sessionTimer } from './session-timer.ts';
import type { SipRequest } from './srf-port.ts';

/** What a self-test looks at in the INVITE. */
export function inviteSeen(
  request: SipRequest,
  call: AdmittedTest,
  timers: SessionTimerSettings,
): InviteSeen {
  const direct = request.source_address === call.sourceAddress;
  const [via = ''] = splitAddresses(request.get('Via') ?? '');
  const [contact = ''] = splitAddresses(request.get('Contact') ?? '');
  return {
    callId: (request.get('Call-ID') ?? '').slice(0, 256),
    from: uriOf(request.get('From') ?? '').slice(0, 256),
    userAgent: agentOf(request.get('User-Agent')),
    transport: request.protocol,
    sourceAddress: call.sourceAddress,
    sourcePort: direct ? request.source_port : null,
    via: hostPort(via.replace(/^SIP\s*\/\s*2\.0\s*\/\s*\w+\s+/i, '').split(';')[0] ?? '', request.protocol),
    contact: hostPort(uriOf(contact).replace(/^sips?:(?:[^@]*@)?/i, ''), request.protocol),
    routed: request.get('Record-Route') !== undefined,
    sessionExpires: sessionTimer(request, timers)['Session-Expires'] ?? null,
    identifiedBy: call.identifiedBy,
  };
}

/** @param text begins with a host, and a port where there is one */
function hostPort(text: string, transport: string): HostPort | null {
  const match = /^\s*(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,255})(?:\s*:\s*(\d{1,5}))?/i.exec(text);
  if (match === null) return null;
  const [, host = '', port] = match;
  return {
    host: host.toLowerCase(),
    port: port === undefined ? (transport === 'tls' ? 5061 : 5060) : Number(port),
  };
}
