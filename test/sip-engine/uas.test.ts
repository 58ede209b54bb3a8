import { describe, expect, it } from 'vitest';
import { T1 } from '../../src/sip-engine/timers.ts';
import { DIALOG_ID, EngineHarness, establish, request, SDP } from '../support/engine-harness.ts';

describe('an incoming call', () => {
  it('gets 100 at once, without a To tag, before the application hears of it', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite');
    const peer = harness.peer();
    harness.receive(request(), peer);
    expect(peer.lines).toEqual(['100']);
    expect(peer.lastHeader('To')).toBe('<sip:us@192.0.2.1>');
    expect(app.methods).toEqual(['INVITE']);
  });

  it('is told to the application with the tokens of the protocol', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite');
    harness.receive(request(), harness.peer());
    const { tokens, sip } = app.lastEvent;
    expect(tokens.slice(1)).toEqual([
      ...['sip', 'network', `${Buffer.byteLength(sip!)}`, 'udp', '198.51.100.7', '5060', '00:00:00.000000'],
      ...[expect.stringMatching(/^[0-9a-f-]{36}$/), '', '192.0.2.1', '5060', ''],
    ]);
    expect(sip).toContain('Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKa;rport=5060\r\n');
  });

  it('keeps one To tag over 180 and 200, copies Record-Route, and says where we are', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite');
    const peer = harness.peer();
    harness.receive(request({ extra: 'Record-Route: <sip:p2;lr>\r\nRecord-Route: <sip:p1;lr>\r\n' }), peer);
    app.respond(app.transactionId, '180 Ringing');
    app.respond(app.transactionId, '200 OK', 'x-foo: 1\r\nfoo-bar: 2\r\nvia: nonsense\r\n', SDP);
    const [, ringing, ok] = peer.raw as [string, string, string];
    const tag = /To: .*;tag=(\w+)/.exec(ringing)?.[1];
    expect(tag).toBeDefined();
    expect(ok).toContain(`;tag=${tag}\r\n`);
    expect(ok).toContain('Record-Route: <sip:p2;lr>\r\nRecord-Route: <sip:p1;lr>\r\n');
    expect(ok).toContain('Contact: <sip:192.0.2.1:5060>\r\n');
    expect(ok).toContain('Content-Type: application/sdp\r\n');
    expect(ok).toContain(`Content-Length: ${SDP.length}\r\n`);
    expect(ok).toContain('x-foo: 1\r\n');
    expect(ok).toContain('Foo-Bar: 2\r\n');
    expect(ok).not.toContain('nonsense');
  });

  it('is echoed as sent, with transaction and dialog id', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite');
    const peer = harness.peer();
    harness.receive(request(), peer);
    const id = app.transactionId;
    app.respond(id, '200 OK', '', SDP);
    const { tokens, sip } = app.lastAnswer;
    expect(sip).toBe(peer.raw.at(-1));
    expect(tokens.slice(3)).toEqual([
      ...[
        'OK',
        'application',
        `${sip!.length}`,
        'udp',
        '198.51.100.7',
        '5060',
        '00:00:00.000000',
        id,
        DIALOG_ID,
      ],
      ...['', 'Msg sent:', ''],
    ]);
  });

  it('lets the application choose its tag and write @localhost', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite');
    const peer = harness.peer();
    harness.receive(request(), peer);
    app.respond(
      app.transactionId,
      '200 OK',
      'to: <sip:us@192.0.2.1>;tag=mine\r\ncontact: sip:me@localhost\r\n',
      SDP,
    );
    expect(peer.lastHeader('To')).toMatch(/;tag=mine$/);
    expect(peer.lastHeader('Contact')).toBe('<sip:me@192.0.2.1:5060>');
  });

  it('carries a body that is not ASCII, whatever Content-Length says', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite');
    const peer = harness.peer();
    harness.receive(request(), peer);
    const body = `${SDP}i=Grüße €\r\n`;
    app.ask(`sip|${app.transactionId}|\r\nSIP/2.0 200 OK\r\nContent-Length: 999\r\n\r\n${body}`);
    expect(peer.raw.at(-1)).toContain(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  });

  it('refuses a body of unknown type, and the application may try again', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite');
    harness.receive(request(), harness.peer());
    expect(app.respond(app.transactionId, '200 OK', '', 'hello')).toEqual(['NOK', 'missing content-type']);
    expect(app.respond(app.transactionId, '200 OK', '', SDP)[0]).toBe('OK');
  });

  it('has its 2xx repeated at T1, doubling to T2, until the ACK, which goes up once', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite');
    const peer = harness.peer();
    harness.receive(request(), peer);
    const inviteId = app.transactionId;
    app.respond(inviteId, '200 OK', '', SDP);
    harness.clock.advance(11_600);
    // At 0.5, 1.5, 3.5, 7.5 and 11.5 s.
    expect(peer.lines).toEqual(['100', '200', '200', '200', '200', '200', '200']);
    const toTag = /tag=(\w+)/.exec(peer.lastHeader('To')!)![1]!;
    const ack = request({ method: 'ACK', branch: 'z9hG4bKack', toTag });
    harness.receive(ack, peer);
    harness.receive(ack, peer);
    harness.clock.advance(60_000);
    expect(peer.lines).toHaveLength(7);
    expect(app.methods).toEqual(['INVITE', 'ACK']);
    const { tokens } = app.lastEvent;
    expect(tokens[4]).toBe('');
    expect(tokens.slice(8)).toEqual([inviteId, DIALOG_ID, '']);
  });

  it('takes the ACK of a caller that gives it the branch of the INVITE', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite');
    const peer = harness.peer();
    harness.receive(request(), peer);
    app.respond(app.transactionId, '200 OK', '', SDP);
    const toTag = /tag=(\w+)/.exec(peer.lastHeader('To')!)![1]!;
    harness.receive(request({ method: 'ACK', toTag }), peer);
    expect(app.methods).toEqual(['INVITE', 'ACK']);
  });

  it.each(['udp', 'tcp'] as const)(
    'whose ACK never comes gets a BYE, and the application is told (%s)',
    (transport) => {
      const harness = new EngineHarness();
      const app = harness.app('invite');
      const peer = harness.peer('198.51.100.7', 5060, transport);
      harness.receive(request(), peer);
      app.respond(app.transactionId, '200 OK', '', SDP);
      harness.clock.advance(64 * T1);
      expect(peer.lines.at(-1)).toBe('BYE');
      expect(peer.lastHeader('Reason')).toBe('SIP;cause=200;text="ACK timeout"');
      expect(app.lastEvent.tokens.slice(2, 3)).toEqual(['application']);
      expect(app.lastEvent.tokens.slice(8)).toEqual(['unsolicited', DIALOG_ID, '']);
      expect(app.lastEvent.sip).toBe(peer.raw.at(-1));
      expect(harness.core.stats).toMatchObject({ dialogs: 0, acksMissing: 1 });
      harness.receive(request({ method: 'INFO', branch: 'z9hG4bKi', cseq: 2, toTag: 'x' }), peer);
      expect(peer.lines.at(-1)).toBe('481');
    },
  );

  it('absorbs the ACK to a failure, and repeats the failure until it comes', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite');
    const peer = harness.peer();
    harness.receive(request(), peer);
    app.respond(app.transactionId, '486 Busy Here');
    harness.clock.advance(T1);
    expect(peer.lines).toEqual(['100', '486', '486']);
    harness.receive(request({ method: 'ACK', toTag: 'whatever' }), peer);
    harness.clock.advance(60_000);
    expect(peer.lines).toEqual(['100', '486', '486']);
    expect(app.methods).toEqual(['INVITE']);
    expect(harness.core.stats).toMatchObject({ dialogs: 0, serverTransactions: 0, pendingInvites: 0 });
    expect(harness.clock.pending).toBe(0);
  });

  it('that is retransmitted gets the last answer again, and the application hears nothing', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite');
    const peer = harness.peer();
    harness.receive(request(), peer);
    harness.receive(request(), peer);
    app.respond(app.transactionId, '180 Ringing');
    harness.receive(request(), peer);
    expect(peer.lines).toEqual(['100', '100', '180', '180']);
    expect(app.methods).toEqual(['INVITE']);
    expect(harness.core.stats.retransmissionsAbsorbed).toBe(2);
  });

  it('matches transactions of RFC 2543 callers, whose branches mean nothing', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite');
    const peer = harness.peer();
    const old = { branch: '1' };
    harness.receive(request(old), peer);
    harness.receive(request(old), peer);
    expect(app.methods).toEqual(['INVITE']);
    app.respond(app.transactionId, '486 Busy Here');
    harness.receive(request({ ...old, method: 'ACK', toTag: 'x' }), peer);
    harness.clock.advance(T1);
    expect(peer.lines).toEqual(['100', '100', '486']);
    harness.receive(request({ branch: '1', cseq: 2, callId: 'next' }), peer);
    expect(app.methods).toEqual(['INVITE', 'INVITE']);
  });

  it('that the application never answers ends with 408, and the application is told by a CANCEL', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite');
    const peer = harness.peer();
    harness.receive(request(), peer);
    const id = app.transactionId;
    harness.clock.advance(64_000);
    expect(peer.lines.filter((line) => line !== '408')).toEqual(['100']);
    expect(peer.lines.at(-1)).toBe('408');
    expect(app.methods).toEqual(['INVITE', 'CANCEL']);
    expect(app.transactionId).toBe(id);
    expect(app.respond(id, '200 OK', '', SDP)).toEqual([
      'NOK',
      'Response not sent due to unknown transaction',
    ]);
    expect(harness.core.stats.invitesUnanswered).toBe(1);
  });

  it('may ring for three minutes', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite');
    const peer = harness.peer();
    harness.receive(request(), peer);
    app.respond(app.transactionId, '180 Ringing');
    harness.clock.advance(179_000);
    expect(peer.lines).toEqual(['100', '180']);
    harness.clock.advance(1_000);
    expect(peer.lines.at(-1)).toBe('408');
    expect(harness.core.stats.dialogs).toBe(0);
  });
});

describe('a call that was challenged', () => {
  it('comes again with the same Call-ID and From tag', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite');
    const peer = harness.peer();
    harness.receive(request(), peer);
    app.respond(app.transactionId, '401 Unauthorized', 'www-authenticate: Digest realm="r", nonce="n"\r\n');
    expect(peer.lastHeader('WWW-Authenticate')).toBe('Digest realm="r", nonce="n"');
    harness.receive(request({ method: 'ACK', toTag: 'x' }), peer);
    harness.receive(request({ branch: 'z9hG4bKb', cseq: 2 }), peer);
    app.respond(app.transactionId, '200 OK', '', SDP);
    expect(peer.lines).toEqual(['100', '401', '100', '200']);
  });
});

describe('a request that nobody takes', () => {
  it.each([
    ['without an application', []],
    ['whose method is not routed', ['bye', 'options']],
  ])('%s gets 503 with Retry-After, the same for a retransmission', (_, verbs) => {
    const harness = new EngineHarness();
    if (verbs.length > 0) harness.app(...verbs);
    const peer = harness.peer();
    harness.receive(request(), peer);
    harness.receive(request(), peer);
    expect(peer.lines).toEqual(['503', '503']);
    expect(peer.raw[0]).toBe(peer.raw[1]);
    expect(peer.lastHeader('Retry-After')).toBe('5');
    expect(harness.core.stats).toMatchObject({ serverTransactions: 0, unrouted: 2 });
  });

  it('goes round robin over the applications that take it, however often they asked', () => {
    const harness = new EngineHarness();
    const first = harness.app('options');
    const second = harness.app('options');
    first.ask('route|options');
    for (let i = 0; i < 4; i += 1) {
      harness.receive(request({ method: 'OPTIONS', branch: `z9hG4bK${i}`, callId: `c${i}` }), harness.peer());
    }
    expect([first.methods.length, second.methods.length]).toEqual([2, 2]);
  });
});

describe('requests other than INVITE', () => {
  it("get the application's answer, with an empty protocol in the echo", () => {
    const harness = new EngineHarness();
    const app = harness.app('options');
    const peer = harness.peer();
    harness.receive(request({ method: 'OPTIONS' }), peer);
    expect(peer.lines).toEqual([]);
    app.respond(app.transactionId, '200 OK', 'allow: INVITE, ACK\r\n');
    expect(peer.lines).toEqual(['200']);
    expect(app.lastAnswer.tokens[6]).toBe('');
    expect(app.lastAnswer.tokens[11]).toBe('');
    harness.receive(request({ method: 'OPTIONS' }), peer);
    expect(peer.lines).toEqual(['200', '200']);
    expect(app.methods).toEqual(['OPTIONS']);
  });

  it('get 500 while the caller still waits when the application is silent', () => {
    const harness = new EngineHarness();
    harness.app('options');
    const peer = harness.peer();
    harness.receive(request({ method: 'OPTIONS' }), peer);
    harness.clock.advance(64 * T1 - 1);
    expect(peer.lines).toEqual(['500']);
  });

  it('that were merged get 482: the same request by another way', () => {
    const harness = new EngineHarness();
    const app = harness.app('options', 'invite');
    const peer = harness.peer();
    for (const method of ['OPTIONS', 'INVITE']) {
      harness.receive(request({ method, branch: 'z9hG4bK1' }), peer);
      harness.receive(request({ method, branch: 'z9hG4bK2' }), peer);
      expect(peer.lines.at(-1)).toBe('482');
    }
    expect(app.methods).toEqual(['OPTIONS', 'INVITE']);
  });
});

describe('CANCEL', () => {
  it('before any answer: 200, 487, and the application is told without a dialog id', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite');
    const peer = harness.peer();
    harness.receive(request(), peer);
    const id = app.transactionId;
    harness.receive(request({ method: 'CANCEL' }), peer);
    expect(peer.lines).toEqual(['100', '200', '487']);
    expect(app.methods).toEqual(['INVITE', 'CANCEL']);
    expect(app.lastEvent.tokens.slice(8)).toEqual([id, '', '']);
    const [, cancelled, terminated] = peer.raw as [string, string, string];
    expect(/To: .*/.exec(cancelled)?.[0]).toBe(/To: .*/.exec(terminated)?.[0]);
    expect(app.respond(id, '200 OK', '', SDP)).toEqual([
      'NOK',
      'Response not sent due to unknown transaction',
    ]);
    expect(peer.lines).toEqual(['100', '200', '487']);
  });

  it('after 180 carries the dialog id, and the early dialog is gone', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite');
    const peer = harness.peer();
    harness.receive(request(), peer);
    app.respond(app.transactionId, '180 Ringing');
    expect(harness.core.stats.dialogs).toBe(1);
    harness.receive(request({ method: 'CANCEL' }), peer);
    expect(peer.lines).toEqual(['100', '180', '200', '487']);
    expect(app.lastEvent.tokens[9]).toBe(DIALOG_ID);
    expect(harness.core.stats.dialogs).toBe(0);
  });

  it('that is retransmitted gets 200 again and goes up once', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite');
    const peer = harness.peer();
    harness.receive(request(), peer);
    harness.receive(request({ method: 'CANCEL' }), peer);
    harness.receive(request({ method: 'CANCEL' }), peer);
    expect(peer.lines).toEqual(['100', '200', '487', '200']);
    expect(app.methods).toEqual(['INVITE', 'CANCEL']);
  });

  it('after the 200 changes nothing', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite');
    const peer = harness.peer();
    harness.receive(request(), peer);
    app.respond(app.transactionId, '200 OK', '', SDP);
    harness.receive(request({ method: 'CANCEL' }), peer);
    expect(peer.lines).toEqual(['100', '200', '200']);
    expect(app.methods).toEqual(['INVITE']);
    expect(harness.core.stats.dialogs).toBe(1);
  });

  it('of nothing gets 481', () => {
    const harness = new EngineHarness();
    harness.app('invite');
    const peer = harness.peer();
    harness.receive(request({ method: 'CANCEL' }), peer);
    expect(peer.lines).toEqual(['481']);
  });
});

describe('an application that goes away', () => {
  it('leaves no caller hanging: 503 for what is pending, BYE for what is up', () => {
    const harness = new EngineHarness();
    const up = harness.peer();
    const { app } = establish(harness, up);
    const ringing = harness.peer('198.51.100.8');
    harness.receive(request({ callId: 'second', branch: 'z9hG4bK2', sentBy: '198.51.100.8:5060' }), ringing);
    app.session.closed();
    expect(ringing.lines).toEqual(['100', '503']);
    expect(up.lines.at(-1)).toBe('BYE');
    harness.receive(request({ callId: 'third', branch: 'z9hG4bK3', sentBy: '198.51.100.8:5060' }), ringing);
    expect(ringing.lines.at(-1)).toBe('503');
    expect(harness.core.stats).toMatchObject({ applications: 0, dialogs: 0, pendingInvites: 0 });
  });
});
