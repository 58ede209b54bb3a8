import { describe, expect, it } from 'vitest';
import { T1 } from '../../src/sip-engine/timers.ts';
import { DIALOG_ID, EngineHarness, establish, request, response, SDP } from '../support/engine-harness.ts';

describe('requests of the peer in a dialog', () => {
  it('go to its application with the dialog id; BYE removes the dialog at once', () => {
    const harness = new EngineHarness();
    const peer = harness.peer();
    const { app, toTag } = establish(harness, peer);
    harness.receive(request({ method: 'BYE', branch: 'z9hG4bKbye', cseq: 2, toTag }), peer);
    expect(app.lastEvent.tokens.slice(9)).toEqual([DIALOG_ID, '']);
    expect(harness.core.stats.dialogs).toBe(0);
    app.respond(app.transactionId, '200 OK');
    expect(peer.lines.at(-1)).toBe('200');
    expect(app.lastAnswer.tokens.slice(6, 7)).toEqual(['']);
    expect(app.lastAnswer.tokens[11]).toBe('');
    harness.receive(request({ method: 'BYE', branch: 'z9hG4bKbye2', cseq: 3, toTag }), peer);
    expect(peer.lines.at(-1)).toBe('481');
  });

  it('a BYE before the ACK ends the repeating of the 200', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite', 'bye');
    const peer = harness.peer();
    harness.receive(request(), peer);
    app.respond(app.transactionId, '200 OK', '', SDP);
    const toTag = /tag=(\w+)/.exec(peer.lastHeader('To')!)![1]!;
    harness.receive(request({ method: 'BYE', branch: 'z9hG4bKbye', cseq: 2, toTag }), peer);
    app.respond(app.transactionId, '200 OK');
    harness.clock.advance(60_000);
    expect(peer.lines).toEqual(['100', '200', '200']);
    expect(app.methods).toEqual(['INVITE', 'BYE']);
  });

  it.each([
    ['unknown To tag', { toTag: 'other' }],
    ['unknown From tag', { fromTag: 'other' }],
    ['unknown Call-ID', { callId: 'other' }],
  ])('with %s get 481', (_, parts) => {
    const harness = new EngineHarness();
    const peer = harness.peer();
    const { app, toTag } = establish(harness, peer);
    harness.receive(request({ method: 'BYE', branch: 'z9hG4bKbye', cseq: 2, toTag, ...parts }), peer);
    expect(peer.lines.at(-1)).toBe('481');
    expect(app.methods).toEqual(['INVITE', 'ACK']);
    expect(harness.core.stats.dialogs).toBe(1);
  });

  it('out of order get 500', () => {
    const harness = new EngineHarness();
    const peer = harness.peer();
    const { app, toTag } = establish(harness, peer, { cseq: 10 });
    harness.receive(request({ method: 'INFO', branch: 'z9hG4bKi', cseq: 9, toTag }), peer);
    expect(peer.lines.at(-1)).toBe('500');
    expect(app.methods).toEqual(['INVITE', 'ACK']);
  });

  it('re-INVITE: 100, answer, ACK with an id of its own; the target is refreshed', () => {
    const harness = new EngineHarness();
    const peer = harness.peer('198.51.100.7', 5060);
    const { app, toTag, inviteId } = establish(harness, peer);
    const contact = '<sip:moved@198.51.100.9:5070>';
    harness.receive(request({ branch: 'z9hG4bKre', cseq: 2, toTag, contact, body: SDP }), peer);
    expect(peer.lines.at(-1)).toBe('100');
    app.respond(app.transactionId, '200 OK', '', SDP);
    harness.receive(request({ method: 'ACK', branch: 'z9hG4bKreack', cseq: 2, toTag }), peer);
    expect(app.methods).toEqual(['INVITE', 'ACK', 'INVITE', 'ACK']);
    expect(app.transactionId).not.toBe(inviteId);
    app.request(DIALOG_ID, 'INFO');
    expect(peer.raw.at(-1)).toMatch(/^INFO sip:moved@198.51.100.9:5070 SIP\/2.0\r\n/);
  });

  it('a refused re-INVITE leaves the target as it was', () => {
    const harness = new EngineHarness();
    const peer = harness.peer();
    const { app, toTag } = establish(harness, peer);
    harness.receive(
      request({ branch: 'z9hG4bKre', cseq: 2, toTag, contact: '<sip:moved@198.51.100.9>' }),
      peer,
    );
    app.respond(app.transactionId, '488 Not Acceptable Here');
    app.request(DIALOG_ID, 'INFO');
    expect(peer.raw.at(-1)).toMatch(/^INFO sip:peer@198.51.100.7:5060 /);
  });

  it('a re-INVITE whose ACK never comes ends the call', () => {
    const harness = new EngineHarness();
    const peer = harness.peer();
    const { app, toTag } = establish(harness, peer);
    harness.receive(request({ branch: 'z9hG4bKre', cseq: 2, toTag }), peer);
    app.respond(app.transactionId, '200 OK', '', SDP);
    harness.clock.advance(64 * T1);
    expect(peer.lines.at(-1)).toBe('BYE');
    expect(app.transactionId).toBe('unsolicited');
  });

  it('a second re-INVITE while the first is not answered gets 500 with Retry-After', () => {
    const harness = new EngineHarness();
    const peer = harness.peer();
    const { toTag } = establish(harness, peer);
    harness.receive(request({ branch: 'z9hG4bKre', cseq: 2, toTag }), peer);
    harness.receive(request({ branch: 'z9hG4bKre2', cseq: 3, toTag }), peer);
    expect(peer.lines.at(-1)).toBe('500');
    expect(Number(peer.lastHeader('Retry-After'))).toBeLessThanOrEqual(10);
  });

  it('a BYE ends a pending re-INVITE with 487', () => {
    const harness = new EngineHarness();
    const peer = harness.peer();
    const { app, toTag } = establish(harness, peer);
    harness.receive(request({ branch: 'z9hG4bKre', cseq: 2, toTag }), peer);
    const reInvite = app.transactionId;
    harness.receive(request({ method: 'BYE', branch: 'z9hG4bKbye', cseq: 3, toTag }), peer);
    expect(peer.lines.at(-1)).toBe('487');
    app.respond(app.transactionId, '200 OK');
    expect(peer.lines.at(-1)).toBe('200');
    expect(app.respond(reInvite, '200 OK', '', SDP)[0]).toBe('NOK');
  });

  it('a BYE before the call is answered ends it: 200, 487, and a CANCEL for the application', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite', 'bye');
    const peer = harness.peer();
    harness.receive(request(), peer);
    app.respond(app.transactionId, '180 Ringing');
    const toTag = /tag=(\w+)/.exec(peer.lastHeader('To')!)![1]!;
    harness.receive(request({ method: 'BYE', branch: 'z9hG4bKbye', cseq: 2, toTag }), peer);
    expect(peer.lines).toEqual(['100', '180', '487', '200']);
    expect(app.methods).toEqual(['INVITE', 'CANCEL']);
    expect(harness.core.stats).toMatchObject({ dialogs: 0, pendingInvites: 0 });
  });

  it('CANCEL of a re-INVITE leaves the call up', () => {
    const harness = new EngineHarness();
    const peer = harness.peer();
    const { app, toTag } = establish(harness, peer);
    harness.receive(request({ branch: 'z9hG4bKre', cseq: 2, toTag }), peer);
    harness.receive(request({ method: 'CANCEL', branch: 'z9hG4bKre', cseq: 2, toTag }), peer);
    expect(peer.lines.slice(-2)).toEqual(['200', '487']);
    expect(app.lastEvent.tokens[9]).toBe(DIALOG_ID);
    expect(harness.core.stats.dialogs).toBe(1);
  });

  it('a second INVITE cannot take over the name of a dialog', () => {
    const harness = new EngineHarness();
    const peer = harness.peer();
    const { app } = establish(harness, peer);
    const thief = harness.peer('203.0.113.66');
    harness.receive(request({ branch: 'z9hG4bKthief', cseq: 5 }), thief);
    expect(thief.lines).toEqual(['482']);
    expect(app.methods).toEqual(['INVITE', 'ACK']);
  });
});

describe('requests of ours in a dialog', () => {
  it('carry what the dialog dictates, and are echoed before their answer comes', () => {
    const harness = new EngineHarness();
    const peer = harness.peer();
    const { app, toTag } = establish(harness, peer);
    expect(
      app.request(
        DIALOG_ID,
        'INFO',
        'content-type: application/x\r\nfrom: <sip:other@x>\r\nmax-forwards: 9\r\n',
        'hi',
      )[0],
    ).toBe('OK');
    const sent = peer.raw.at(-1)!;
    expect(sent).toMatch(
      /^INFO sip:peer@198.51.100.7:5060 SIP\/2.0\r\nVia: SIP\/2.0\/UDP 192.0.2.1:5060;rport;branch=z9hG4bK/,
    );
    expect(sent).toContain(
      `From: <sip:us@192.0.2.1>;tag=${toTag}\r\nTo: <sip:peer@198.51.100.7>;tag=theirs\r\nCall-ID: call@peer\r\n`,
    );
    expect(sent).toContain('Content-Type: application/x\r\n');
    const { tokens, sip } = app.lastAnswer;
    expect(sip).toBe(sent);
    expect(tokens.slice(4, 5)).toEqual(['application']);
    expect(tokens.slice(6, 9)).toEqual(['udp', '192.0.2.1', '5060']);
    expect(tokens.slice(11)).toEqual(['Msg sent:', '']);
    harness.receive(response(peer.last, '200 OK'), peer);
    expect(app.lastEvent.tokens.slice(8)).toEqual([tokens[10], DIALOG_ID, '']);
  });

  it('count CSeq upwards; the ACK has that of its INVITE', () => {
    const harness = new EngineHarness();
    const peer = harness.peer();
    const { app } = establish(harness, peer);
    app.request(DIALOG_ID, 'INFO');
    const first = Number.parseInt(peer.lastHeader('CSeq')!, 10);
    app.request(DIALOG_ID, 'INVITE', '', SDP);
    const invite = peer.last;
    expect(peer.lastHeader('CSeq')).toBe(`${first + 1} INVITE`);
    expect(peer.lastHeader('Contact')).toBe('<sip:192.0.2.1:5060>');
    harness.receive(response(invite, '200 OK', 'Contact: <sip:new@198.51.100.7>\r\n', SDP), peer);
    app.request(DIALOG_ID, 'INFO');
    app.ask(`sip||${DIALOG_ID}\r\nACK sip:whatever SIP/2.0\r\nContent-Length: 0\r\n\r\n`);
    expect(peer.raw.at(-1)).toMatch(/^ACK sip:new@198.51.100.7 SIP/);
    expect(peer.lastHeader('CSeq')).toBe(`${first + 1} ACK`);
  });

  it('a repeated 2xx to our re-INVITE gets the ACK again and does not go up twice', () => {
    const harness = new EngineHarness();
    const peer = harness.peer();
    const { app } = establish(harness, peer);
    app.request(DIALOG_ID, 'INVITE', '', SDP);
    const ok = response(peer.last, '200 OK', 'Contact: <sip:peer@198.51.100.7>\r\n', SDP);
    harness.receive(ok, peer);
    harness.receive(ok, peer);
    app.ask(`sip||${DIALOG_ID}\r\nACK sip:placeholder SIP/2.0\r\n\r\n`);
    const ack = peer.raw.at(-1);
    harness.receive(ok, peer);
    expect(peer.raw.at(-1)).toBe(ack);
    expect(peer.lines.filter((line) => line === 'ACK')).toHaveLength(2);
    expect(app.methods.filter((method) => method === '200')).toHaveLength(1);
  });

  it("a refused re-INVITE is acknowledged by the engine; the application's ACK is refused", () => {
    const harness = new EngineHarness();
    const peer = harness.peer();
    const { app } = establish(harness, peer);
    app.request(DIALOG_ID, 'INVITE', '', SDP);
    const invite = peer.raw.at(-1)!;
    harness.receive(response(peer.last, '488 Not Acceptable Here'), peer);
    const ack = peer.raw.at(-1)!;
    expect(ack).toMatch(/^ACK /);
    expect(/branch=\S+/.exec(ack)![0]).toBe(/branch=\S+/.exec(invite)![0]);
    expect(app.request(DIALOG_ID, 'ACK')).toEqual([
      'NOK',
      'Server error: ACK for non-success final response is automatically generated by server',
    ]);
  });

  it('a re-INVITE of the peer meets 491 while ours is pending', () => {
    const harness = new EngineHarness();
    const peer = harness.peer();
    const { app, toTag } = establish(harness, peer);
    app.request(DIALOG_ID, 'INVITE', '', SDP);
    const ours = peer.last;
    harness.receive(request({ branch: 'z9hG4bKre', cseq: 2, toTag }), peer);
    expect(peer.lines.at(-1)).toBe('491');
    harness.receive(response(ours, '491 Request Pending'), peer);
    harness.receive(request({ branch: 'z9hG4bKre2', cseq: 3, toTag }), peer);
    expect(peer.lines.at(-1)).toBe('100');
  });

  it('BYE: 100 stays below, the final response goes up, the dialog is gone', () => {
    const harness = new EngineHarness();
    const peer = harness.peer();
    const { app } = establish(harness, peer);
    app.request(DIALOG_ID, 'BYE');
    const bye = peer.last;
    harness.receive(response(bye, '100 Trying'), peer);
    harness.receive(response(bye, '200 OK'), peer);
    expect(app.methods).toEqual(['INVITE', 'ACK', '200']);
    expect(harness.core.stats.dialogs).toBe(0);
    expect(app.request(DIALOG_ID, 'INFO')).toEqual([
      'NOK',
      'Server error: unable to find dialog for dialog id provided',
    ]);
  });

  it('an unanswered BYE ends as a 408 of our own', () => {
    const harness = new EngineHarness();
    const peer = harness.peer();
    const { app } = establish(harness, peer);
    app.request(DIALOG_ID, 'BYE');
    harness.clock.advance(64 * T1);
    expect(peer.lines.filter((line) => line === 'BYE')).toHaveLength(11);
    expect(app.methods.at(-1)).toBe('408');
    expect(app.lastEvent.tokens.slice(3, 7)).toEqual(['0', 'udp', '', '0']);
    expect(harness.core.stats.dialogs).toBe(0);
  });

  it('what cannot be sent ends as a 503 of our own', () => {
    const harness = new EngineHarness();
    const peer = harness.peer();
    const { app } = establish(harness, peer);
    peer.broken = true;
    app.request(DIALOG_ID, 'INFO');
    expect(app.methods.at(-1)).toBe('503');
    // The echo of the request came first: drachtio-srf ignores answers to what it does not know of.
    expect(app.frames.slice(-2).map(({ tokens }) => tokens[1])).toEqual(['response', 'sip']);
  });

  it.each(['401 Unauthorized', '407 Proxy Authentication Required'])(
    '%s goes up and is not answered',
    (status) => {
      const harness = new EngineHarness();
      const peer = harness.peer();
      const { app } = establish(harness, peer);
      app.request(DIALOG_ID, 'INFO');
      harness.receive(response(peer.last, status), peer);
      expect(app.methods.at(-1)).toBe(status.slice(0, 3));
      expect(peer.lines.at(-1)).toBe('INFO');
    },
  );

  it('of an application that does not own the dialog are refused', () => {
    const harness = new EngineHarness();
    establish(harness, harness.peer());
    expect(harness.app('invite').request(DIALOG_ID, 'BYE')[0]).toBe('NOK');
    expect(harness.core.stats.dialogs).toBe(1);
  });
});

describe('where requests of ours go', () => {
  const bye = (harness: EngineHarness, app: { request(id: string, method: string): string[] }) => {
    app.request(DIALOG_ID, 'BYE');
    return harness.opened.at(-1);
  };

  it('behind a NAT: to the source, with the Contact as Request-URI', () => {
    const harness = new EngineHarness();
    const peer = harness.peer('203.0.113.5', 40_000);
    const parts = { sentBy: '192.168.1.2:5060', viaParams: ';rport', contact: '<sip:peer@192.168.1.2:5060>' };
    const { app } = establish(harness, peer, parts);
    bye(harness, app);
    expect(harness.opened).toEqual([]);
    expect(peer.raw.at(-1)).toMatch(/^BYE sip:peer@192.168.1.2:5060 /);
  });

  it('the source moves: to the latest', () => {
    const harness = new EngineHarness();
    const peer = harness.peer('203.0.113.5', 40_000);
    const parts = { sentBy: '192.168.1.2:5060', viaParams: ';rport', contact: '<sip:peer@192.168.1.2:5060>' };
    const { app, toTag } = establish(harness, peer, parts);
    const moved = harness.peer('203.0.113.5', 40_001);
    harness.receive(request({ ...parts, method: 'INFO', branch: 'z9hG4bKi', cseq: 2, toTag }), moved);
    bye(harness, app);
    expect(moved.lines.at(-1)).toBe('BYE');
  });

  it('to the Contact of a peer that does not listen where it sends from', () => {
    const harness = new EngineHarness();
    const peer = harness.peer('198.51.100.7', 51_234);
    const { app } = establish2(harness, peer);
    const flow = bye(harness, app);
    expect(flow?.lines).toEqual(['BYE']);
    expect(flow?.remote).toMatchObject({ address: '198.51.100.7', port: 5060 });
  });

  it('along the route set', () => {
    const harness = new EngineHarness();
    const peer = harness.peer();
    const extra = 'Record-Route: <sip:198.51.100.20:5062;lr>, <sip:198.51.100.21;lr>\r\n';
    const { app } = establish(harness, peer, { extra });
    const flow = bye(harness, app);
    expect(flow?.remote).toMatchObject({ address: '198.51.100.20', port: 5062 });
    expect(flow?.raw[0]).toMatch(/^BYE sip:peer@198.51.100.7:5060 /);
    expect(flow?.raw[0]).toContain('Route: <sip:198.51.100.20:5062;lr>\r\nRoute: <sip:198.51.100.21;lr>\r\n');
  });

  it('along a strict router: it gets its own URI, the target goes last', () => {
    const harness = new EngineHarness();
    const peer = harness.peer();
    const extra = 'Record-Route: <sip:198.51.100.20:5062>, <sip:198.51.100.21;lr>\r\n';
    const { app } = establish(harness, peer, { extra });
    const flow = bye(harness, app);
    expect(flow?.remote).toMatchObject({ address: '198.51.100.20', port: 5062 });
    expect(flow?.raw[0]).toMatch(/^BYE sip:198.51.100.20:5062 /);
    expect(flow?.raw[0]).toContain(
      'Route: <sip:198.51.100.21;lr>\r\nRoute: <sip:peer@198.51.100.7:5060>\r\n',
    );
  });

  it('over TCP: the connection of the INVITE while it is open, else a new one to the Contact', () => {
    const harness = new EngineHarness();
    const peer = harness.peer('198.51.100.7', 40_000, 'tcp');
    const { app } = establish(harness, peer, { transport: 'TCP' });
    app.request(DIALOG_ID, 'INFO');
    expect(peer.lines.at(-1)).toBe('INFO');
    expect(peer.raw.at(-1)).toContain('Via: SIP/2.0/TCP 192.0.2.1:5060;');
    peer.open = false;
    expect(bye(harness, app)?.remote).toMatchObject({ address: '198.51.100.7', port: 5060 });
  });
});

/** A caller without rport that sends from another port than it names in Via; answers go there too. */
function establish2(harness: EngineHarness, peer: ReturnType<EngineHarness['peer']>) {
  const app = harness.app('invite');
  harness.receive(request({ body: SDP }), peer);
  app.respond(app.transactionId, '200 OK', '', SDP);
  expect(peer.lines).toEqual([]);
  expect(harness.opened.at(-1)?.lines).toEqual(['200']);
  return { app };
}
