import { describe, expect, it } from 'vitest';
import { header, headersOf, type SipRequest } from '../../src/sip-engine/message.ts';
import { EngineHarness, type RecorderApp, request, response, SDP } from '../support/engine-harness.ts';
import { OutgoingCall, tagged } from '../support/outgoing-call.ts';

function start(options: ConstructorParameters<typeof OutgoingCall>[2] = {}) {
  const harness = new EngineHarness();
  const app = harness.app('invite');
  const call = new OutgoingCall(harness, app, options);
  return { harness, app, call };
}

const eventStatus = (app: RecorderApp): string[] =>
  app.events.map(({ sip = '' }) => sip.slice(8, 11)).filter((text) => /^\d{3}$/.test(text));

describe('an INVITE of the application', () => {
  it('goes to the address of its URI, complete, after its echo', () => {
    const { call, app } = start();
    expect(call.answer.slice(0, 5)).toEqual(['OK', 'application', expect.anything(), 'udp', '192.0.2.1']);
    expect(app.lastAnswer.sip).toBe(call.flow.raw[0]);
    expect(call.flow.remote).toEqual({ address: '198.51.100.7', port: 5060 });
    const invite = call.sent as SipRequest;
    expect(invite.uri).toBe('sip:bob@198.51.100.7');
    expect(header(invite, 'Via')).toMatch(/^SIP\/2\.0\/UDP 192\.0\.2\.1:5060;rport;branch=z9hG4bK/);
    expect(header(invite, 'From')).toMatch(/^<sip:anonymous@192\.0\.2\.1:5060>;tag=\w+$/);
    expect(header(invite, 'To')).toBe('<sip:bob@198.51.100.7>');
    expect(header(invite, 'Max-Forwards')).toBe('70');
    expect(header(invite, 'Contact')).toBe('<sip:192.0.2.1:5060>');
    expect(header(invite, 'Content-Type')).toBe('application/sdp');
    expect(invite.body.toString()).toBe(SDP);
  });

  it('keeps From with its tag, To, Call-ID, CSeq and Contact that the application chose', () => {
    const headers =
      'from: "Al" <sip:al@localhost>;tag=mine\r\nto: <sip:b@example.net>\r\nCall-ID: same@us\r\n' +
      'CSeq: 7 INVITE\r\ncontact: sip:al@localhost\r\nX-Queue: 7\r\nvia: SIP/2.0/UDP evil\r\n';
    const { call } = start({ headers });
    expect(header(call.sent, 'From')).toBe('"Al" <sip:al@192.0.2.1:5060>;tag=mine');
    expect(header(call.sent, 'To')).toBe('<sip:b@example.net>');
    expect(header(call.sent, 'Call-ID')).toBe('same@us');
    expect(header(call.sent, 'CSeq')).toBe('7 INVITE');
    expect(header(call.sent, 'Contact')).toBe('<sip:al@192.0.2.1:5060>');
    expect(header(call.sent, 'X-Queue')).toBe('7');
    expect(headersOf(call.sent, 'Via')).toHaveLength(1);
  });

  it('goes to the outbound proxy with its URI unchanged', () => {
    const { call } = start({ uri: 'sip:+4930123@pbx.example', proxy: 'sip:203.0.113.9:5070;transport=tcp' });
    expect(call.flow.remote).toEqual({ address: '203.0.113.9', port: 5070 });
    expect(call.flow.transport).toBe('tcp');
    expect((call.sent as SipRequest).uri).toBe('sip:+4930123@pbx.example');
  });

  it('goes over TLS to a proxy too when its URI is sips', () => {
    const { harness } = start({ uri: 'sips:bob@pbx.example', proxy: 'sip:203.0.113.9:5071' });
    expect(harness.hops).toEqual([{ transport: 'tls', address: '203.0.113.9', port: 5071 }]);
    const udp = start({ uri: 'sips:bob@pbx.example', proxy: 'sip:203.0.113.9;transport=udp' });
    expect(udp.call.answer[0]).toBe('NOK');
  });

  it.each(['authorization', 'proxy-authorization'])(
    'with %s goes to the address that asked for it, which has to be who was called',
    (name) => {
      const proxy = 'sip:203.0.113.9:5071;transport=tls';
      const { harness } = start({ uri: 'sip:bob@pbx.example', proxy, headers: `${name}: Digest a="b"\r\n` });
      expect(harness.hops).toEqual([
        { transport: 'tls', address: '203.0.113.9', port: 5071, name: 'pbx.example' },
      ]);
    },
  );

  it('that cannot be sent is 503, and why', () => {
    const harness = new EngineHarness();
    harness.unreachable = true;
    const app = harness.app('invite');
    const call = new OutgoingCall(harness, app);
    expect(call.answer[0]).toBe('OK');
    expect(app.lastEvent.sip).toContain('SIP/2.0 503 Service Unavailable (broken)');
  });

  it.each([
    ['a URI without a host', { uri: 'tel:+4930' }, 'invalid request-uri: INVITE tel:+4930 SIP/2.0'],
    ['our own socket', { uri: 'sip:x@192.0.2.1' }, 'can not send request to myself'],
    ['a From that does not parse', { headers: 'from: <sip:a@b\r\n' }, expect.stringMatching(/^invalid/)],
    ['a Call-ID with a bar', { headers: 'Call-ID: a|b\r\n' }, expect.stringMatching(/^invalid/)],
    [
      'a transport that we do not have',
      { uri: 'sip:x@198.51.100.7;transport=sctp' },
      expect.stringContaining('Error creating'),
    ],
  ])('is refused for %s', (_, options, why) => {
    expect(start(options).call.answer).toEqual(['NOK', why]);
  });

  it('is sent again until a response comes, and is 408 after 32 s of silence, with no address', () => {
    const { harness, app, call } = start();
    harness.clock.advance(31_000);
    expect(call.flow.lines.length).toBeGreaterThan(5);
    harness.clock.advance(2_000);
    expect(eventStatus(app)).toEqual(['408']);
    expect(app.lastEvent.tokens.slice(2, 10)).toEqual([
      'network',
      '0',
      'udp',
      '',
      '0',
      expect.anything(),
      call.transactionId,
      call.dialogId,
    ]);
  });

  it('absorbs 100, passes 180 and 200 with transaction and dialog, and the ACK goes to the Contact', () => {
    const { app, call } = start();
    call.reply('100 Trying', '');
    call.reply('180 Ringing');
    call.reply('200 OK', 'bob', '', SDP);
    expect(eventStatus(app)).toEqual(['180', '200']);
    for (const { tokens } of app.events) {
      expect(tokens[8]).toBe(call.transactionId);
      expect(tokens[9]).toBe(call.dialogId);
    }
    app.request(call.dialogId, 'ACK');
    const ack = call.flow.last as SipRequest;
    expect([ack.method, ack.uri]).toEqual(['ACK', 'sip:bob@198.51.100.7:5080']);
    expect(header(ack, 'CSeq')).toBe('1 ACK');
    expect(header(ack, 'To')).toContain('tag=bob');
  });

  it('repeats the ACK for a repeated 200, which the application hears once', () => {
    const { app, call } = start();
    call.establish();
    call.reply('200 OK', 'bob', '', SDP);
    expect(call.flow.lines.filter((line) => line === 'ACK')).toHaveLength(2);
    expect(eventStatus(app)).toEqual(['200']);
  });

  it('that is answered without a Contact, or with another 2xx, is a call for the application as any other', () => {
    const { harness, app, call } = start();
    const other = response(call.sent, '202 Accepted', '', SDP);
    harness.receive(tagged(other, 'bob'), call.flow);
    expect(app.lastEvent.sip).toMatch(/^SIP\/2\.0 200 /);
    expect(app.lastEvent.sip).toContain('Contact: <sip:bob@198.51.100.7>\r\n');
    app.request(call.dialogId, 'ACK');
    app.request(call.dialogId, 'BYE');
    const [ack, bye] = call.flow.sent.slice(-2) as SipRequest[];
    expect([ack?.method, bye?.method, bye?.uri]).toEqual(['ACK', 'BYE', 'sip:bob@198.51.100.7']);
  });

  it('takes requests of the callee, whose CSeq may begin with 0', () => {
    const { harness, app, call } = start();
    call.establish();
    const [callId, toTag] = call.dialogId.split(';from-tag=');
    const info = {
      method: 'INFO',
      branch: 'z9hG4bKi',
      callId,
      toTag,
      fromTag: 'bob',
      uri: 'sip:192.0.2.1:5060',
    };
    harness.receive(request({ ...info, cseq: 0 }), call.flow);
    expect(app.methods).toEqual(['200', 'INFO']);
    harness.receive(request({ ...info, branch: 'z9hG4bKi2', cseq: 0 }), call.flow);
    expect(call.flow.lines.at(-1)).toBe('500');
  });

  it('acknowledges a failure itself and passes it up; 3xx with its Contact', () => {
    const { app, call } = start();
    call.reply('302 Moved Temporarily', 'bob', 'Contact: <sip:carol@203.0.113.1>\r\n');
    expect(eventStatus(app)).toEqual(['302']);
    expect(app.lastEvent.sip).toContain('sip:carol@203.0.113.1');
    expect(call.flow.lines).toEqual(['INVITE', 'ACK']);
    expect(app.request(call.dialogId, 'ACK')[0]).toBe('NOK');
  });

  it('a digest retry is a new transaction with the same Call-ID and From, and its dialog has the same name', () => {
    const { harness, app, call } = start();
    call.reply('401 Unauthorized', 'bob', 'WWW-Authenticate: Digest realm="r", nonce="n"\r\n');
    const from = header(call.sent, 'From');
    const retry = new OutgoingCall(harness, app, {
      headers: `From: ${from}\r\ncall-id: ${header(call.sent, 'Call-ID')}\r\nCSeq: 2 INVITE\r\nAuthorization: Digest x="y"\r\n`,
    });
    expect(retry.answer[0]).toBe('OK');
    expect(retry.transactionId).not.toBe(call.transactionId);
    expect(retry.dialogId).toBe(call.dialogId);
    expect(header(retry.sent, 'Authorization')).toBe('Digest x="y"');
    retry.establish();
    expect(header(retry.flow.last, 'CSeq')).toBe('2 ACK');
  });
});

describe('CANCEL', () => {
  const cancel = (app: RecorderApp, call: OutgoingCall): string[] =>
    app.ask(`sip|${call.transactionId}|\r\nCANCEL sip:bob@198.51.100.7 SIP/2.0\r\nContent-Length: 0\r\n\r\n`);

  it('before the first 1xx is told as sent, and leaves when one comes', () => {
    const { app, call } = start();
    expect(cancel(app, call)[0]).toBe('OK');
    expect(call.flow.lines).toEqual(['INVITE']);
    call.reply('100 Trying', '');
    expect(call.flow.lines).toEqual(['INVITE', 'CANCEL']);
    expect(header(call.flow.last, 'Via')).toBe(header(call.sent, 'Via'));
    expect(header(call.flow.last, 'CSeq')).toBe('1 CANCEL');
  });

  it('is never sent when the final response comes first', () => {
    const { app, call } = start();
    cancel(app, call);
    call.reply('486 Busy Here');
    expect(call.flow.lines).toEqual(['INVITE', 'ACK']);
    expect(eventStatus(app)).toEqual(['486']);
  });

  it('after 180: the 200 to it stays here, the 487 goes up', () => {
    const { harness, app, call } = start();
    call.reply('180 Ringing');
    cancel(app, call);
    harness.receive(response(call.flow.last, '200 OK'), call.flow);
    call.reply('487 Request Terminated');
    expect(eventStatus(app)).toEqual(['180', '487']);
    expect(harness.core.stats.dialogs).toBe(0);
  });

  it('that nobody obeys ends in 408 after 32 s', () => {
    const { harness, app, call } = start();
    call.reply('180 Ringing');
    cancel(app, call);
    harness.clock.advance(31_900);
    expect(eventStatus(app)).toEqual(['180']);
    harness.clock.advance(200);
    expect(eventStatus(app)).toEqual(['180', '408']);
    harness.clock.advance(60_000);
    expect(harness.core.stats.clientTransactions).toBe(0);
    expect(harness.core.stats.dialogs).toBe(0);
  });

  it('crossed by a 200 gives the application the call', () => {
    const { app, call } = start();
    call.reply('180 Ringing');
    cancel(app, call);
    call.reply('200 OK', 'bob', '', SDP);
    expect(eventStatus(app)).toEqual(['180', '200']);
    expect(app.request(call.dialogId, 'ACK')[0]).toBe('OK');
    expect(app.request(call.dialogId, 'BYE')[0]).toBe('OK');
  });

  it('of a transaction that is over, or of another application, is refused', () => {
    const { harness, app, call } = start();
    expect(cancel(harness.app('invite'), call)).toEqual([
      'NOK',
      `unable to cancel unknown transaction id: ${call.transactionId}`,
    ]);
    call.reply('486 Busy Here');
    expect(cancel(app, call)[0]).toBe('NOK');
  });

  it('is what an INVITE gets whose application is gone; a 200 that comes all the same is ended', () => {
    const { app, call } = start();
    call.reply('180 Ringing');
    app.session.closed();
    expect(call.flow.lines).toEqual(['INVITE', 'CANCEL']);
    call.reply('200 OK', 'bob', '', SDP);
    expect(call.flow.lines).toEqual(['INVITE', 'CANCEL', 'ACK', 'BYE']);
  });
});

describe('a peer that rings for ever', () => {
  const cancels = (call: OutgoingCall) => call.flow.lines.filter((line) => line === 'CANCEL').length;

  it('is taken back more than three minutes after its last 101 to 199 (timer C), and its 487 goes up', () => {
    const { harness, app, call } = start();
    call.reply('100 Trying', '');
    harness.clock.advance(100_000);
    call.reply('180 Ringing');
    harness.clock.advance(100_000);
    call.reply('183 Session Progress');
    harness.clock.advance(100_000);
    call.reply('100 Trying', '');
    harness.clock.advance(80_000);
    expect(cancels(call)).toBe(0);
    harness.clock.advance(6_000);
    expect(call.flow.lines).toContain('CANCEL');
    call.reply('487 Request Terminated');
    expect(eventStatus(app)).toEqual(['180', '183', '487']);
    expect(harness.core.stats).toMatchObject({ outgoingInvites: 0, dialogs: 0 });
  });

  it('after nothing but a 100 too, and is 408 when it heeds no CANCEL', () => {
    const { harness, app, call } = start();
    call.reply('100 Trying', '');
    harness.clock.advance(186_000);
    expect(call.flow.lines).toContain('CANCEL');
    call.reply('180 Ringing');
    expect(eventStatus(app)).toEqual(['180']);
    harness.clock.advance(32_000);
    expect(eventStatus(app)).toEqual(['180', '408']);
    harness.clock.advance(300_000);
    expect(harness.core.stats).toMatchObject({ outgoingInvites: 0, dialogs: 0, clientTransactions: 0 });
  });

  it('and answers all the same has given the application its call', () => {
    const { harness, app, call } = start();
    call.reply('180 Ringing');
    harness.clock.advance(186_000);
    call.establish();
    harness.clock.advance(300_000);
    expect(eventStatus(app)).toEqual(['180', '200']);
    expect(harness.core.stats.dialogs).toBe(1);
  });

  it('and has answered is not taken back', () => {
    const { harness, app, call } = start();
    call.reply('180 Ringing');
    call.establish();
    harness.clock.advance(300_000);
    expect(cancels(call)).toBe(0);
    expect(eventStatus(app)).toEqual(['180', '200']);
  });
});

describe('a forked INVITE', () => {
  it('has an early dialog for each fork; the first 200 is the call, the second gets ACK and BYE', () => {
    const { harness, app, call } = start();
    call.reply('180 Ringing', 'one');
    call.reply('180 Ringing', 'two');
    expect(harness.core.stats.dialogs).toBe(2);
    call.reply('200 OK', 'one', '', SDP);
    app.request(call.dialogId, 'ACK');
    expect(header(call.flow.last, 'To')).toContain('tag=one');
    call.reply('200 OK', 'two', '', SDP);
    expect(call.flow.lines).toEqual(['INVITE', 'ACK', 'ACK', 'BYE']);
    expect(header(call.flow.last, 'To')).toContain('tag=two');
    expect(eventStatus(app)).toEqual(['180', '180', '200']);
    expect(harness.core.stats.dialogs).toBe(1);
    // The call itself goes on.
    expect(app.request(call.dialogId, 'INFO')[0]).toBe('OK');
    expect(header(call.flow.last, 'To')).toContain('tag=one');
  });

  it('a repeated 200 of the unwanted fork gets its ACK again, and no second BYE', () => {
    const { app, call } = start();
    call.reply('200 OK', 'one', '', SDP);
    app.request(call.dialogId, 'ACK');
    call.reply('200 OK', 'two', '', SDP);
    call.reply('200 OK', 'two', '', SDP);
    expect(call.flow.lines).toEqual(['INVITE', 'ACK', 'ACK', 'BYE', 'ACK']);
  });

  it('follows a limited number of forks', () => {
    const { harness, call } = start();
    for (let i = 0; i < 100; i += 1) call.reply('180 Ringing', `t${i}`);
    expect(harness.core.stats.dialogs).toBe(16);
    call.reply('486 Busy Here');
    expect(harness.core.stats.dialogs).toBe(0);
  });
});

describe('reliable provisional responses (RFC 3262)', () => {
  const reliable = (rseq: number): string => `Require: 100rel\r\nRSeq: ${rseq}\r\n`;
  const prack = (app: RecorderApp, call: OutgoingCall, rseq: number): string[] =>
    app.request(call.dialogId, 'PRACK', `RAck: ${rseq} 1 INVITE\r\n`);

  it('goes up once, and the PRACK goes to its fork', () => {
    const { app, call } = start();
    call.reply('183 Session Progress', 'one', reliable(5), SDP);
    call.reply('183 Session Progress', 'two', reliable(5), SDP);
    call.reply('183 Session Progress', 'one', reliable(5), SDP);
    expect(eventStatus(app)).toEqual(['183', '183']);
    prack(app, call, 5);
    expect(header(call.flow.last, 'To')).toContain('tag=one');
    expect(header(call.flow.last, 'RAck')).toBe('5 1 INVITE');
    expect(header(call.flow.last, 'CSeq')).toBe('2 PRACK');
    prack(app, call, 5);
    expect(header(call.flow.last, 'To')).toContain('tag=two');
  });

  it('one that is ahead of its turn is not heard', () => {
    const { app, call } = start();
    call.reply('183 Session Progress', 'one', reliable(5));
    call.reply('180 Ringing', 'one', reliable(7));
    call.reply('182 Queued', 'one', reliable(6));
    expect(eventStatus(app)).toEqual(['183', '182']);
  });
});

describe('the dialog of an outgoing call', () => {
  it('takes the BYE of the peer, and one with a wrong tag not', () => {
    const { harness, app, call } = start();
    call.establish();
    const [callId = '', tag = ''] = call.dialogId.split(';from-tag=');
    const bye = { method: 'BYE', callId, toTag: tag, cseq: 1, uri: 'sip:192.0.2.1:5060' };
    harness.receive(request({ ...bye, fromTag: 'other', branch: 'z9hG4bKx' }), call.flow);
    expect(call.flow.lines.at(-1)).toBe('481');
    harness.receive(request({ ...bye, fromTag: 'bob', branch: 'z9hG4bKy' }), call.flow);
    expect(app.methods.at(-1)).toBe('BYE');
    expect(app.lastEvent.tokens[9]).toBe(call.dialogId);
    app.respond(app.transactionId, '200 OK');
    expect(call.flow.lines.at(-1)).toBe('200');
  });

  it('takes a re-INVITE of the peer, and ACKs reach the application', () => {
    const { harness, app, call } = start();
    call.establish();
    const [callId = '', toTag = ''] = call.dialogId.split(';from-tag=');
    const peer = { callId, toTag, fromTag: 'bob', cseq: 5, uri: 'sip:192.0.2.1:5060' };
    harness.receive(request({ ...peer, branch: 'z9hG4bKre', body: SDP }), call.flow);
    expect(app.methods.at(-1)).toBe('INVITE');
    app.respond(app.transactionId, '200 OK', 'Content-Type: application/sdp\r\n', SDP);
    expect(call.flow.lines.at(-1)).toBe('200');
    harness.receive(request({ ...peer, method: 'ACK', branch: 'z9hG4bKack' }), call.flow);
    expect(app.methods.at(-1)).toBe('ACK');
  });

  it('follows the route set of the 200, nearest to us first', () => {
    const { app, call } = start();
    call.establish('bob', 'Record-Route: <sip:203.0.113.2;lr>\r\nRecord-Route: <sip:203.0.113.1;lr>\r\n');
    app.request(call.dialogId, 'BYE');
    expect(call.flow.remote).toEqual({ address: '203.0.113.1', port: 5060 });
    const bye = call.flow.last as SipRequest;
    expect(headersOf(bye, 'Route')).toEqual(['<sip:203.0.113.1;lr>', '<sip:203.0.113.2;lr>']);
    expect(bye.uri).toBe('sip:bob@198.51.100.7:5080');
  });

  it('gives a strict router the Request-URI', () => {
    const { app, call } = start();
    call.establish('bob', 'Record-Route: <sip:203.0.113.2;lr>\r\nRecord-Route: <sip:203.0.113.1>\r\n');
    app.request(call.dialogId, 'BYE');
    const bye = call.flow.last as SipRequest;
    expect(bye.uri).toBe('sip:203.0.113.1');
    expect(headersOf(bye, 'Route')).toEqual(['<sip:203.0.113.2;lr>', '<sip:bob@198.51.100.7:5080>']);
  });
});

describe('hops', () => {
  function named() {
    const harness = new EngineHarness();
    harness.dns
      .server('_sip._udp.pbx.example', 'a.example', 5062, 1)
      .server('_sip._udp.pbx.example', 'b.example', 5063, 2)
      .address('a.example', '198.51.100.1')
      .address('b.example', '198.51.100.2');
    return { harness, app: harness.app('invite') };
  }

  async function dialled(harness: EngineHarness, app: RecorderApp): Promise<OutgoingCall> {
    const call = new OutgoingCall(harness, app, { uri: 'sip:bob@pbx.example' });
    await expect.poll(() => harness.opened.length).toBe(1);
    return call;
  }

  it('that answer 503 give way to the next, which the application does not notice', async () => {
    const { harness, app } = named();
    const call = await dialled(harness, app);
    const first = call.flow;
    expect(first.remote).toEqual({ address: '198.51.100.1', port: 5062 });
    harness.receive(tagged(response(first.last, '503 Service Unavailable'), 'x'), first);
    expect(first.lines).toEqual(['INVITE', 'ACK']);
    expect(call.flow.remote).toEqual({ address: '198.51.100.2', port: 5063 });
    expect(header(call.sent, 'Via')).not.toBe(header(first.sent[0]!, 'Via'));
    expect(header(call.sent, 'Call-ID')).toBe(header(first.sent[0]!, 'Call-ID'));
    call.establish();
    expect(app.methods).toEqual(['200']);
  });

  it('that are silent give way after timer B; the last one is 408', async () => {
    const { harness, app } = named();
    await dialled(harness, app);
    harness.clock.advance(32_000);
    expect(harness.opened).toHaveLength(2);
    harness.clock.advance(32_000);
    expect(app.methods).toEqual(['408']);
  });

  it('are not tried any more after a CANCEL', async () => {
    const { harness, app } = named();
    await dialled(harness, app);
    const id = app.lastAnswer.tokens[10];
    app.ask(`sip|${id}|\r\nCANCEL sip:bob@pbx.example SIP/2.0\r\nContent-Length: 0\r\n\r\n`);
    harness.clock.advance(33_000);
    expect(harness.opened).toHaveLength(1);
    expect(app.methods).toEqual(['408']);
  });

  it('of a name that is not there: refused, in plain words', async () => {
    const { harness, app } = named();
    new OutgoingCall(harness, app, { uri: 'sip:bob@nowhere.example' });
    await expect.poll(() => app.lastAnswer.tokens[3]).toBe('NOK');
    expect(app.lastAnswer.tokens[4]).toContain('nowhere.example');
  });
});

describe('a request of the application outside a dialog', () => {
  it('OPTIONS to a peer: the response comes with its transaction and no dialog', () => {
    const { app, call } = start({ method: 'OPTIONS' });
    call.reply('200 OK');
    expect(eventStatus(app)).toEqual(['200']);
    expect(app.lastEvent.tokens.slice(8, 10)).toEqual([call.transactionId, '']);
  });

  it('without an answer is 408 after 32 s', () => {
    const { harness, app } = start({ method: 'OPTIONS' });
    harness.clock.advance(32_100);
    expect(eventStatus(app)).toEqual(['408']);
  });

  it('that cannot be sent is 503 at once', () => {
    const harness = new EngineHarness();
    harness.unreachable = true;
    const app = harness.app('invite');
    new OutgoingCall(harness, app, { uri: 'sip:bob@198.51.100.7;transport=tcp', method: 'OPTIONS' });
    expect(eventStatus(app)).toEqual(['503']);
    expect(harness.core.stats.clientTransactions).toBe(0);
  });
});
