import { describe, expect, it } from 'vitest';
import { headersOf, parseMessage, type SipRequest } from '../../src/sip-engine/message.ts';
import { forwardedRequest, recordRoutes } from '../../src/sip-engine/proxy-request.ts';
import type { Flow, TransportName } from '../../src/sip-engine/transport.ts';
import { RecorderFlow, request } from '../support/engine-harness.ts';

/** A flow whose own end is `address`. */
function flowFrom(address: string, transport: TransportName, port = 5060): Flow {
  const flow = new RecorderFlow({ address: '203.0.113.1', port: 5060 }, transport);
  return Object.assign(flow, { local: { address, port } });
}

describe('a forwarded request', () => {
  const changes = { uri: 'sip:next.example', routes: [], recordRoutes: [], headers: [] };

  it('takes the certificate of its sender no further: it is for our application alone', () => {
    const extra = 'X-Kallglot-Peer-Certificate: sha256=00\r\nX-Kallglot-Role: agent\r\n';
    const came = parseMessage(Buffer.from(request({ extra }))) as SipRequest;
    const sent = forwardedRequest(came, changes, flowFrom('192.0.2.1', 'udp'), 'z9hG4bKx');
    expect(headersOf(sent, 'X-Kallglot-Peer-Certificate')).toEqual([]);
    expect(headersOf(sent, 'X-Kallglot-Role')).toEqual(['agent']);
    expect(headersOf(came, 'X-Kallglot-Peer-Certificate')).toEqual(['sha256=00']);
  });
});

describe('our Record-Route', () => {
  const ours = (incoming: Flow, outgoing: Flow, uri = 'sip:us@192.0.2.1') =>
    recordRoutes(parseMessage(Buffer.from(request({ uri }))) as SipRequest, incoming, outgoing);

  it('is one where both sides reach us at the same place', () => {
    const flow = flowFrom('192.0.2.1', 'udp');
    expect(ours(flow, flow)).toEqual(['<sip:192.0.2.1:5060;lr>']);
  });

  it.each([
    ['transport', flowFrom('192.0.2.1', 'tcp'), '<sip:192.0.2.1:5060;transport=tcp;lr>'],
    ['address family', flowFrom('2001:db8::1', 'udp'), '<sip:[2001:db8::1]:5060;lr>'],
    ['address', flowFrom('10.0.0.1', 'udp'), '<sip:10.0.0.1:5060;lr>'],
    ['port', flowFrom('192.0.2.1', 'udp', 5070), '<sip:192.0.2.1:5070;lr>'],
  ])('are two where they differ in %s, the one of the called side on top', (_, outgoing, route) => {
    expect(ours(flowFrom('192.0.2.1', 'udp'), outgoing)).toEqual([route, '<sip:192.0.2.1:5060;lr>']);
  });

  it('is a sips URI for a sips request', () => {
    const [near, far] = [flowFrom('192.0.2.1', 'tls', 5061), flowFrom('10.0.0.1', 'tls', 5061)];
    expect(ours(near, far, 'sips:us@192.0.2.1')).toEqual([
      '<sips:10.0.0.1:5061;lr>',
      '<sips:192.0.2.1:5061;lr>',
    ]);
    expect(ours(near, near)).toEqual(['<sip:192.0.2.1:5061;transport=tls;lr>']);
  });
});
