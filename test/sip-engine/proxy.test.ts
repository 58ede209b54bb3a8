import { describe, expect, it } from 'vitest';
import { header, headersOf } from '../../src/sip-engine/message.ts';
import { EngineHarness, request, SDP } from '../support/engine-harness.ts';
import { ProxiedCall } from '../support/proxied-call.ts';

describe('a request that an application sends on', () => {
  it('goes as it came, with our Via on top and one hop less', () => {
    const extra =
      'X-Odd:  kept  as is \r\nsubject: hello\r\nAccept: application/sdp\r\nVia: SIP/2.0/UDP 203.0.113.9;branch=z9hG4bKfirst\r\n';
    const call = new ProxiedCall({ extra }).order();
    const sent = call.sent();
    expect(call.target().remote).toEqual({ address: '198.51.100.20', port: 5060 });
    expect(sent.uri).toBe('sip:198.51.100.20');
    expect(headersOf(sent, 'Via')).toEqual([
      expect.stringMatching(/^SIP\/2\.0\/UDP 192\.0\.2\.1:5060;rport;branch=z9hG4bK\w+$/),
      'SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKa;rport=5060',
      'SIP/2.0/UDP 203.0.113.9;branch=z9hG4bKfirst',
    ]);
    expect(header(sent, 'Max-Forwards')).toBe('69');
    for (const name of ['From', 'To', 'Call-ID', 'CSeq', 'Contact', 'X-Odd', 'Subject', 'Accept']) {
      const came = new RegExp(`^${name}: *(.*)\\r$`, 'im').exec(request({ ...call.parts, extra }))?.[1];
      expect(header(sent, name)).toBe(came?.trim());
    }
    expect(sent.body.toString()).toBe(SDP);
    expect(header(sent, 'Record-Route')).toBeUndefined();
  });

  it('keeps a URI that is not ours, and a telephone number, on the way to its destination', () => {
    for (const uri of ['sip:bob@example.com', 'tel:+49301234']) {
      const call = new ProxiedCall({ uri }).order(['sip:198.51.100.20:5070']);
      expect(call.sent().uri).toBe(uri);
      expect(call.target().remote).toEqual({ address: '198.51.100.20', port: 5070 });
    }
  });

  it('has 70 hops when it says nothing, and none left is 483', () => {
    const without = new ProxiedCall();
    const text = request({ ...without.parts, branch: 'z9hG4bKb', callId: 'b' });
    without.harness.receive(text.replace('Max-Forwards: 70\r\n', ''), without.caller);
    expect(header(without.order().sent(), 'Max-Forwards')).toBe('70');
    const spent = new ProxiedCall();
    spent.harness.receive(
      request({ ...spent.parts, branch: 'z9hG4bKb', callId: 'b' }).replace('Forwards: 70', 'Forwards: 0'),
      spent.caller,
    );
    spent.order();
    expect(spent.answers).toEqual(['483']);
    expect(spent.reports).toEqual(['NOK Rejected with 483 Too Many Hops']);
    expect(spent.harness.opened).toEqual([]);
  });

  it('is refused when it asks something of proxies', () => {
    const call = new ProxiedCall({ extra: 'Proxy-Require: foo, bar\r\n' }).order();
    expect(call.answers).toEqual(['420']);
    expect(call.caller.lastHeader('Unsupported')).toBe('foo, bar');
    expect(call.reports).toEqual(['NOK Rejected with 420 Bad Extension']);
  });

  it('loses Routes that lead to us, and keeps those behind', () => {
    const extra =
      'Route: <sip:192.0.2.1;lr>, <sip:10.0.0.1:5060;transport=tcp;lr>\r\nRoute: <sip:far@example.com;lr>\r\n';
    const call = new ProxiedCall({ extra }).order();
    expect(headersOf(call.sent(), 'Route')).toEqual(['<sip:far@example.com;lr>']);
  });

  it('takes headers of the application, in place of its own; never those that are ours', () => {
    const call = new ProxiedCall({ extra: 'X-Queue: 1\r\nX-Other: same\r\n' });
    call.order(undefined, { headers: 'X-Queue: 7\r\nvia: SIP/2.0/UDP evil\r\nto: <sip:else@where>\r\n' });
    expect(headersOf(call.sent(), 'X-Queue')).toEqual(['7']);
    expect(header(call.sent(), 'X-Other')).toBe('same');
    expect(headersOf(call.sent(), 'Via')).toHaveLength(2);
    expect(header(call.sent(), 'To')).toBe('<sip:us@192.0.2.1>');
  });
});

describe('Record-Route', () => {
  it('is our address, where asked for', () => {
    const call = new ProxiedCall({ extra: 'Record-Route: <sip:before@203.0.113.9;lr>\r\n' });
    call.order(undefined, { remainInDialog: true });
    expect(headersOf(call.sent(), 'Record-Route')).toEqual([
      '<sip:192.0.2.1:5060;lr>',
      '<sip:before@203.0.113.9;lr>',
    ]);
  });

  it('names the transport, and is double where the two sides differ', () => {
    const call = new ProxiedCall();
    call.order(['sip:198.51.100.20;transport=tcp'], { remainInDialog: true });
    expect(headersOf(call.sent(), 'Record-Route')).toEqual([
      '<sip:192.0.2.1:5060;transport=tcp;lr>',
      '<sip:192.0.2.1:5060;lr>',
    ]);
  });

  it('is Path in a REGISTER', () => {
    const call = new ProxiedCall({ method: 'REGISTER' }).order(undefined, { remainInDialog: true });
    expect(header(call.sent(), 'Path')).toBe('<sip:192.0.2.1:5060;lr>');
    expect(header(call.sent(), 'Require')).toBe('path');
    expect(header(call.sent(), 'Record-Route')).toBeUndefined();
  });
});

describe('responses', () => {
  it('go back without our Via: 1xx and the 200, not the 100; the application sees the final one', () => {
    const call = new ProxiedCall().order();
    call.reply('100 Trying', { tag: '' });
    call.reply('180 Ringing');
    call.reply('183 Session Progress', { extra: 'RSeq: 7\r\n', body: SDP });
    call.reply('200 OK', { body: SDP });
    expect(call.answers).toEqual(['180', '183', '200']);
    expect(headersOf(call.caller.last, 'Via')).toEqual([
      'SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKa;rport=5060',
    ]);
    expect(call.caller.lastHeader('To')).toContain('tag=tag0');
    expect(call.caller.lastHeader('Contact')).toBe('<sip:callee@198.51.100.20:5080>');
    expect(call.caller.last.body.toString()).toBe(SDP);
    expect(call.reports).toEqual(['200', 'done']);
  });

  it('tell the application where a final one came from, as it came', () => {
    const call = new ProxiedCall().order();
    call.reply('486 Busy Here');
    const [frame] = call.app.frames.filter(({ sip }) => sip?.startsWith('SIP/2.0 486'));
    const tokens = frame?.tokens.slice(3);
    expect(tokens).toEqual([
      ...['OK', 'network', expect.stringMatching(/^\d+$/), 'udp', '198.51.100.20', '5060'],
      ...[expect.stringMatching(/^\d\d:\d\d:\d\d\.\d{6}$/), '', '', 'continue'],
    ]);
    expect(frame?.sip?.match(/^Via/gm)).toHaveLength(2);
    expect(call.reports).toEqual(['486', 'done']);
  });

  it('repeat a 200 for a repeated one, which the application hears once', () => {
    const call = new ProxiedCall().order();
    call.reply('200 OK', { body: SDP });
    call.reply('200 OK', { body: SDP });
    expect(call.answers).toEqual(['200', '200']);
    expect(call.reports).toEqual(['200', 'done']);
  });

  it('repeat a failure until its ACK, and acknowledge the target', () => {
    const call = new ProxiedCall().order();
    call.reply('486 Busy Here');
    expect(call.target().lines).toEqual(['INVITE', 'ACK']);
    call.harness.clock.advance(600);
    expect(call.answers).toEqual(['486', '486']);
    call.harness.receive(request({ ...call.parts, method: 'ACK', toTag: 'tag0', body: '' }), call.caller);
    call.harness.clock.advance(10_000);
    expect(call.answers).toEqual(['486', '486']);
    expect(call.target().lines).toEqual(['INVITE', 'ACK']);
  });

  it('repeat the last one for a repeated INVITE', () => {
    const call = new ProxiedCall().order();
    call.reply('180 Ringing');
    call.harness.receive(request(call.parts), call.caller);
    expect(call.answers).toEqual(['180', '180']);
    expect(call.target().lines).toEqual(['INVITE']);
  });

  it('are 408 when the target is silent, 500 when it cannot be reached or has only a 503', () => {
    const silent = new ProxiedCall().order();
    silent.harness.clock.advance(32_000);
    expect(silent.answers[0]).toBe('408');
    expect(silent.reports).toEqual(['done']);
    const unreachable = new ProxiedCall();
    unreachable.harness.unreachable = true;
    unreachable.order();
    expect(unreachable.answers).toEqual(['500']);
    expect(unreachable.reports).toEqual(['done']);
    const overloaded = new ProxiedCall().order();
    overloaded.reply('503 Service Unavailable', { extra: 'Retry-After: 100\r\n' });
    expect(overloaded.answers).toEqual(['500']);
    expect(overloaded.caller.lastHeader('Retry-After')).toBeUndefined();
    expect(overloaded.reports).toEqual(['503', 'done']);
  });

  it('to other methods come back too; silence is 504, for nobody waits for a 408', () => {
    const call = new ProxiedCall({ method: 'OPTIONS' }).order();
    call.reply('200 OK');
    expect(call.answers).toEqual(['200']);
    expect(call.reports).toEqual(['200', 'done']);
    const silent = new ProxiedCall({ method: 'OPTIONS' }).order();
    silent.harness.clock.advance(32_000);
    expect(silent.answers).toEqual(['504']);
  });

  it('are not told to an application that asked for none', () => {
    const call = new ProxiedCall().order(undefined, { fullResponse: false });
    expect(call.reports).toEqual(['done']);
    call.reply('200 OK', { body: SDP });
    expect(call.answers).toEqual(['200']);
    expect(call.reports).toEqual(['done']);
  });
});

describe('an order', () => {
  it('is for a request that waits for its first answer', () => {
    const call = new ProxiedCall();
    call.app.respond(call.app.transactionId, '180 Ringing');
    call.order();
    const unknown = `NOK Unknown transaction id: ${call.app.transactionId}`;
    expect(call.reports).toEqual([unknown]);
    const twice = new ProxiedCall().order().order();
    expect(twice.reports).toEqual([expect.stringMatching(/^NOK Unknown transaction id/)]);
    expect(twice.harness.opened).toHaveLength(1);
    const others = new ProxiedCall();
    const id = others.app.transactionId;
    const answer = others.harness
      .app()
      .ask(`proxy|${id}||fullResponse||serial|||sip:198.51.100.20\r\nINVITE sip:x SIP/2.0\r\n\r\n`);
    expect(answer).toEqual(['NOK', `Unknown transaction id: ${id}`]);
  });

  it('that cannot be understood leaves the request to the application', () => {
    const call = new ProxiedCall().order(['tel:+49301234']);
    expect(call.reports).toEqual(['NOK Invalid proxy request: not a destination: tel:+49301234']);
    expect(call.app.respond(call.app.transactionId, '480 Temporarily Unavailable')[0]).toBe('OK');
    expect(call.answers).toEqual(['480']);
  });

  it('does not take a sips request into the clear', () => {
    const caller = new EngineHarness().peer('198.51.100.7', 40_000, 'tls');
    const call = new ProxiedCall({ uri: 'sips:us@192.0.2.1', transport: 'TLS' }, { caller });
    call.order(['sips:198.51.100.20', 'sip:198.51.100.21']);
    expect(call.reports).toEqual(['NOK a sips request goes to sips destinations only']);
    expect(call.harness.opened).toEqual([]);
    expect(call.app.respond(call.app.transactionId, '480 Temporarily Unavailable')[0]).toBe('OK');
  });

  it('takes the answer out of the hands of the application', () => {
    const call = new ProxiedCall().order();
    expect(call.app.respond(call.app.transactionId, '200 OK', '', SDP)).toEqual([
      'NOK',
      'Response not sent due to unknown transaction',
    ]);
    call.harness.clock.advance(20_000);
    call.reply('180 Ringing');
    call.harness.clock.advance(100_000);
    expect(call.answers).toEqual(['180']);
    expect(call.app.methods).toEqual(['INVITE']);
  });

  it('whose application is lost ends with 503 to the caller and a CANCEL to the target', () => {
    const call = new ProxiedCall().order();
    call.reply('180 Ringing');
    const told = call.app.frames.length;
    call.app.session.closed();
    expect(call.answers).toEqual(['180', '503']);
    expect(call.caller.lastHeader('Retry-After')).toBe('5');
    expect(call.target().lines).toEqual(['INVITE', 'CANCEL']);
    call.reply('487 Request Terminated');
    expect(call.answers).toEqual(['180', '503']);
    expect(call.app.frames).toHaveLength(told);
    expect(call.harness.core.stats).toMatchObject({ proxiedRequests: 0, pendingInvites: 0 });
  });

  it('is refused with 503 while too many requests, or dialogs that would run through us, are there', () => {
    const busy = new ProxiedCall({}, { limits: { maxPendingInvites: 1 } });
    // One target has answered, the other has yet to hear of it.
    busy.order(['sip:198.51.100.20', 'sip:198.51.100.21'], { simultaneous: true }).reply('200 OK');
    expect(busy.harness.core.stats).toMatchObject({ proxiedRequests: 1, pendingInvites: 0 });
    const full = new ProxiedCall({}, { limits: { maxDialogs: 1 } });
    full.order(undefined, { remainInDialog: true }).reply('200 OK');
    expect(full.harness.core.stats.proxiedDialogs).toBe(1);
    for (const call of [busy, full]) {
      const before = call.harness.opened.length;
      call.harness.receive(request({ branch: 'z9hG4bKb', callId: 'b' }), call.caller);
      call.order(undefined, { remainInDialog: true });
      expect(call.answers.at(-1)).toBe('503');
      expect(call.reports.at(-1)).toBe('NOK Rejected with 503 Service Unavailable');
      expect(call.harness.opened).toHaveLength(before);
    }
    // What does not stay takes no place.
    full.harness.receive(request({ branch: 'z9hG4bKc', callId: 'c' }), full.caller);
    full.order();
    expect(full.harness.opened).toHaveLength(2);
  });

  it('of a closed engine leaves no timer behind', () => {
    const call = new ProxiedCall().order(['sip:198.51.100.20', 'sip:198.51.100.21'], {
      ...{ remainInDialog: true, simultaneous: true },
      ...{ provisionalTimeout: '2s', finalTimeout: '1500ms' },
    });
    call.reply('180 Ringing');
    call.harness.core.close();
    expect(call.harness.clock.pending).toBe(0);
  });

  it('may also be a registration for CDRs, which never come', () => {
    const call = new ProxiedCall();
    for (const type of ['attempt', 'start', 'stop']) {
      expect(call.app.ask(`route|cdr:${type}`)).toEqual(['OK']);
    }
    call.order().reply('200 OK');
    expect(call.app.frames.some(({ tokens }) => tokens[1]?.startsWith('cdr'))).toBe(false);
  });
});
