import { isIP } from 'node:net';
import { type Check, failed, notSeen, ok, warning } from './check.ts';
import { type CallSeen, type HostPort, type InviteSeen, shown } from './seen.ts';

/** What the SIP of a self-test's call tells. Pure functions. */

const OUTSIDE_ADDRESS =
  'Tell the PBX its public address (Asterisk: external_signaling_address and local_net; FreeSWITCH: ext-sip-ip)';

export function signallingChecks(seen: CallSeen): Check[] {
  const { invite } = seen;
  return [
    transport(seen),
    ok('source', `SIP comes from ${sourceOf(invite)}; identified by its ${invite.identifiedBy}`),
    via(invite),
    contact(invite),
    acknowledgement(seen),
    sessionTimer(invite),
  ];
}

function transport({ invite, media }: CallSeen): Check {
  const seen = invite.transport.toUpperCase();
  if (media?.srtp && invite.transport !== 'tls')
    return warning(
      'transport',
      `${seen}, with SRTP`,
      'The keys of the encrypted audio can be read on the way. Use TLS for SIP as well.',
    );
  return ok('transport', media?.srtp ? `${seen}, with SRTP` : seen);
}

const sourceOf = ({ sourceAddress, sourcePort }: InviteSeen): string =>
  sourcePort === null ? `${sourceAddress}, through a proxy` : shown(sourceAddress, sourcePort);

/** @returns undefined for a name, which cannot be compared */
function isSource({ host, port }: HostPort, { sourceAddress, sourcePort }: InviteSeen, withPort: boolean) {
  const address = host.replace(/^\[(.*)\]$/, '$1');
  if (isIP(address) === 0) return undefined;
  return address === sourceAddress && (!withPort || port === sourcePort);
}

function via(invite: InviteSeen): Check {
  const { via, sourcePort, transport } = invite;
  if (via === null || sourcePort === null) return notSeen('via', 'Via was not compared', 'Nothing to do.');
  const written = shown(via.host, via.port);
  // A connection has a port of its own.
  const fits = isSource(via, invite, transport === 'udp');
  if (fits === undefined) return ok('via', `Via names ${written}`);
  if (fits) return ok('via', `Via names ${written}, where it comes from: no NAT in between`);
  return warning(
    'via',
    `Via names ${written}, but SIP comes from ${sourceOf(invite)}: there is a NAT in between`,
    `${OUTSIDE_ADDRESS}. Our answers go where the call came from, so that calls work while the NAT keeps its mapping: send keep-alives (OPTIONS every 30 s), or use TCP or TLS. Switch off a SIP ALG in the router.`,
  );
}

function contact(invite: InviteSeen): Check {
  const { contact, sourcePort, routed, transport } = invite;
  if (contact === null)
    return notSeen('contact', 'Contact could not be read', 'Send a Contact with a SIP URI.');
  const written = shown(contact.host, contact.port);
  if (routed) return ok('contact', `Contact names ${written}, reached through the proxies of Record-Route`);
  const fits = sourcePort === null ? undefined : isSource(contact, invite, transport === 'udp');
  if (fits !== false) return ok('contact', `Contact names ${written}`);
  return warning(
    'contact',
    `Contact names ${written}, but SIP comes from ${sourceOf(invite)}`,
    transport === 'udp'
      ? `${OUTSIDE_ADDRESS}. Until then we send BYE and other requests where the call came from, which works while the NAT keeps its mapping.`
      : `${OUTSIDE_ADDRESS}. Until then BYE and other requests reach the PBX only while its connection stays open.`,
  );
}

function acknowledgement({ acknowledged, answeredAt, reason, invite }: CallSeen): Check {
  if (acknowledged) return ok('ack', 'The answer (200) was acknowledged');
  if (answeredAt === null) return notSeen('ack', 'The call was not answered', 'Let it ring, and call again.');
  const seen =
    reason === 'ack_timeout' ? 'The answer (200) was never acknowledged' : 'No acknowledgement had come yet';
  return failed(
    'ack',
    seen,
    `Our 200 does not reach the PBX, or its ACK does not reach us. Look whether a firewall lets answers from here back to ${sourceOf(invite)}, switch off a SIP ALG in the router, and see that the PBX sends its ACK to the Contact of our 200.`,
  );
}

function sessionTimer({ sessionExpires }: InviteSeen): Check {
  if (sessionExpires === null)
    return notSeen(
      'session_timer',
      'The PBX does not offer session timers',
      'Optional: switch them on (Asterisk: timers=yes; FreeSWITCH: enable-timer), so that a call whose other end has vanished ends by itself.',
    );
  const [seconds = '', refresher] = sessionExpires.split(';refresher=');
  const who = refresher === 'uas' ? 'this gateway refreshes' : 'the PBX has to refresh';
  return ok('session_timer', `The call ends unless it is refreshed within ${seconds} s; ${who}`);
}
