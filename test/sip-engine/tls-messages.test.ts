import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { PeerCertificate } from '../../src/sip-engine/peer-certificate.ts';
import type { TransportName } from '../../src/sip-engine/transport.ts';
import { certificateOf } from '../support/certificates.ts';
import {
  DIALOG_ID,
  EngineHarness,
  establish,
  type RequestParts,
  request,
  SDP,
} from '../support/engine-harness.ts';

/** A harness with an application, and a peer. */
function setUp(transport: TransportName = 'tls') {
  const harness = new EngineHarness();
  const app = harness.app('invite', 'options');
  return { harness, app, peer: harness.peer('198.51.100.7', 5060, transport) };
}

/** A call over TLS that is up. */
function callUp(parts: RequestParts = {}) {
  const harness = new EngineHarness();
  const peer = harness.peer('198.51.100.7', 5060, 'tls');
  const { app, toTag } = establish(harness, peer, { transport: 'TLS', ...parts });
  return { harness, app, peer, toTag };
}

/** The Contact of our 200 to an INVITE. */
function contactFor(parts: RequestParts, transport: TransportName = 'tls'): string | undefined {
  const { harness, app, peer } = setUp(transport);
  harness.receive(request({ transport: transport.toUpperCase(), body: SDP, ...parts }), peer);
  app.respond(app.transactionId, '200 OK', '', SDP);
  return peer.lastHeader('Contact');
}

describe('a call over TLS', () => {
  it('is answered with a Contact that leads to TLS', () => {
    expect(contactFor({})).toBe('<sip:192.0.2.1:5060;transport=tls>');
    expect(contactFor({}, 'tcp')).toBe('<sip:192.0.2.1:5060;transport=tcp>');
    expect(contactFor({}, 'udp')).toBe('<sip:192.0.2.1:5060>');
  });

  it('is told to the application as such', () => {
    const { harness, app, peer } = setUp();
    harness.receive(request({ transport: 'TLS' }), peer);
    expect(app.lastEvent.tokens.slice(4, 7)).toEqual(['tls', '198.51.100.7', '5060']);
  });

  it('gets our requests over TLS, by its connection, as from where its own may come', () => {
    const { app, peer } = callUp();
    app.request(DIALOG_ID, 'INVITE', 'content-type: application/sdp\r\n', SDP);
    expect(peer.lastHeader('Via')).toMatch(/^SIP\/2.0\/TLS 192.0.2.1:5060;rport;branch=z9hG4bK\w+;alias$/);
    expect(peer.lastHeader('Contact')).toBe('<sip:192.0.2.1:5060;transport=tls>');
  });

  it('gets them over TLS again once that connection is closed, at the default port and by its name', async () => {
    const { harness, app, peer } = callUp({ contact: '<sip:pbx@pbx.acme.example>' });
    const name = 'pbx.acme.example';
    harness.dns.address(name, '198.51.100.8');
    peer.open = false;
    app.request(DIALOG_ID, 'BYE');
    await expect
      .poll(() => harness.hops)
      .toEqual([{ transport: 'tls', address: '198.51.100.8', port: 5061, name }]);
    expect(harness.opened[0]?.lines).toEqual(['BYE']);
  });

  it('gets its answers at sent-by when the connection is closed, at port 5061 if none is named', () => {
    const { harness, app, peer } = setUp();
    harness.receive(request({ transport: 'TLS', sentBy: 'pbx.acme.example' }), peer);
    peer.open = false;
    app.respond(app.transactionId, '486 Busy Here');
    expect(harness.hops).toEqual([
      { transport: 'tls', address: '198.51.100.7', port: 5061, name: 'pbx.acme.example' },
    ]);
  });
});

describe('a sips call', () => {
  const sips = 'sips:us@192.0.2.1';

  it.each([
    ['Request-URI', { uri: sips }],
    ['topmost Record-Route', { extra: 'Record-Route: <sips:p2;lr>\r\nRecord-Route: <sip:p1;lr>\r\n' }],
    ['Contact', { contact: '<sips:peer@198.51.100.7>' }],
  ])('by its %s is answered with a sips Contact', (_, parts) => {
    expect(contactFor(parts)).toBe('<sips:192.0.2.1:5060>');
  });

  it('by its Contact behind a Record-Route that is not, is none', () => {
    const parts = { contact: '<sips:peer@198.51.100.7>', extra: 'Record-Route: <sip:p1;lr>\r\n' };
    expect(contactFor(parts)).toBe('<sip:192.0.2.1:5060;transport=tls>');
  });

  it('keeps the Contact in our own requests', () => {
    const { app, peer } = callUp({ uri: sips });
    app.request(DIALOG_ID, 'INVITE', 'content-type: application/sdp\r\n', SDP);
    expect(peer.lastHeader('Contact')).toBe('<sips:192.0.2.1:5060>');
  });

  it('gets our requests over TLS, whatever its Contact says', () => {
    const { harness, app, peer } = callUp({
      uri: sips,
      contact: '<sip:peer@198.51.100.9:5071;transport=tcp>',
    });
    peer.open = false;
    app.request(DIALOG_ID, 'BYE');
    expect(harness.hops).toEqual([{ transport: 'tls', address: '198.51.100.9', port: 5071 }]);
  });

  it.each(['udp', 'tcp'] as const)(
    'that comes over %s is refused, and the application hears nothing',
    (transport) => {
      const { harness, app, peer } = setUp(transport);
      harness.receive(request({ uri: sips, transport: transport.toUpperCase() }), peer);
      expect(peer.lines).toEqual(['480']);
      expect(peer.lastHeader('Warning')).toBe('381 kallglot "SIPS Required"');
      expect(app.events).toEqual([]);
    },
  );
});

describe('a request in the clear in a sips call', () => {
  const sips = 'sips:us@192.0.2.1';

  it.each([
    ['BYE', sips],
    // Somebody on the way has made another URI of it.
    ['BYE', 'sip:us@192.0.2.1'],
    ['INVITE', 'sip:us@192.0.2.1'],
  ])('is refused: %s %s', (method, uri) => {
    const { harness, app, toTag } = callUp({ uri: sips });
    const before = app.methods;
    expect(before).toEqual(['INVITE', 'ACK']);
    const clear = harness.peer('198.51.100.7', 5060, 'tcp');
    harness.receive(
      request({ method, uri, toTag, cseq: 2, branch: 'z9hG4bKclear', transport: 'TCP' }),
      clear,
    );
    expect(clear.lines).toEqual(['480']);
    expect(clear.lastHeader('Warning')).toBe('381 kallglot "SIPS Required"');
    expect(app.methods).toEqual(before);
    expect(harness.core.stats.dialogs).toBe(1);
  });

  it('leaves the 200 unacknowledged when it is the ACK', () => {
    const { harness, app, peer } = setUp();
    harness.receive(request({ uri: sips, transport: 'TLS', body: SDP }), peer);
    app.respond(app.transactionId, '200 OK', '', SDP);
    const toTag = /tag=([^;]+)$/.exec(peer.lastHeader('To') ?? '')![1]!;
    const ack = { method: 'ACK', toTag, branch: 'z9hG4bKack' };
    harness.receive(request({ ...ack, transport: 'TCP' }), harness.peer('198.51.100.7', 5060, 'tcp'));
    expect(app.methods).toEqual(['INVITE']);
    harness.receive(request({ ...ack, uri: sips, transport: 'TLS' }), peer);
    expect(app.methods).toEqual(['INVITE', 'ACK']);
  });
});

describe('the certificate of the peer', () => {
  const pbx = new PeerCertificate(new X509Certificate(certificateOf('pbx')));
  const forged = [
    'X-Kallglot-Peer-Certificate: sha256=0;names="victim.example"\r\n',
    'x-kallglot-peer-certificate: sha256=1;names="victim.example"\r\n',
    'X-Kallglot-Peer-Certificate : sha256=2;names="victim.example"\r\n',
    'X-Kallglot%2DPeer-Certificate: sha256=3;names="victim.example"\r\n',
  ].join('');

  it('is told to the application in its header, and nothing else is', () => {
    const { harness, app, peer } = setUp();
    peer.certificate = pbx;
    harness.receive(request({ transport: 'TLS', extra: forged }), peer);
    const lines = app.lastEvent.sip!.split('\r\n').filter((line) => /peer.?.?.?certificate/i.test(line));
    expect(lines).toEqual([
      `X-Kallglot-Peer-Certificate: sha256=${pbx.fingerprint};names="pbx.acme.example,acme.example"`,
    ]);
    expect(app.lastEvent.sip).not.toContain('victim');
  });

  it.each(['udp', 'tcp', 'tls'] as const)(
    'is none over %s without one, whatever the peer says',
    (transport) => {
      const { harness, app, peer } = setUp(transport);
      harness.receive(request({ transport: transport.toUpperCase(), extra: forged }), peer);
      expect(app.lastEvent.sip).not.toMatch(/certificate|victim/i);
    },
  );
});

describe('the alias parameter of Via', () => {
  it.each([
    ['pbx.acme.example:5071', 5071],
    ['pbx.acme.example', 5061],
  ])('of %s offers the connection for requests to port %i', (sentBy, port) => {
    const { harness, peer } = setUp();
    harness.receive(request({ method: 'OPTIONS', transport: 'TLS', sentBy, viaParams: ';alias' }), peer);
    expect(peer.aliases).toEqual([port]);
  });

  it('offers nothing where it is not there', () => {
    const { harness, peer } = setUp();
    harness.receive(request({ method: 'OPTIONS', transport: 'TLS' }), peer);
    expect(peer.aliases).toEqual([]);
  });
});
