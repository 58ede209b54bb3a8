import { describe, expect, it } from 'vitest';
import { header, headersOf } from '../../src/sip-engine/message.ts';
import { EngineHarness, SDP } from '../support/engine-harness.ts';
import { type Order, ProxiedCall } from '../support/proxied-call.ts';

const three = ['sip:198.51.100.20', 'sip:198.51.100.21', 'sip:198.51.100.22'];
const start = (order: Order = {}, destinations = three) => new ProxiedCall().order(destinations, order);

describe('serial forking', () => {
  it('goes to the next destination when one refuses, and stops at the first that answers', () => {
    const call = start();
    expect(call.harness.opened).toHaveLength(1);
    call.reply('486 Busy Here', { at: 0 });
    expect(call.sent(1).uri).toBe('sip:198.51.100.21');
    expect(header(call.sent(1), 'Via')).not.toBe(header(call.sent(0), 'Via'));
    call.reply('180 Ringing', { at: 1 });
    call.reply('200 OK', { at: 1 });
    expect(call.answers).toEqual(['180', '200']);
    expect(call.reports).toEqual(['486', '200', 'done']);
    expect(call.harness.opened).toHaveLength(2);
  });

  it('ends with the best of all failures', () => {
    const call = start();
    call.reply('480 Temporarily Unavailable', { at: 0 });
    call.reply('404 Not Found', { at: 1 });
    expect(call.answers).toEqual([]);
    call.reply('500 Server Internal Error', { at: 2 });
    expect(call.answers).toEqual(['480']);
    expect(call.reports).toEqual(['480', '404', '500', 'done']);
  });

  it('ends at once with a 6xx', () => {
    const call = start();
    call.reply('603 Decline', { at: 0 });
    expect(call.answers).toEqual(['603']);
    expect(call.harness.opened).toHaveLength(1);
  });

  it('collects challenges', () => {
    const call = start({}, three.slice(0, 2));
    call.reply('407 Proxy Authentication Required', {
      at: 0,
      extra: 'Proxy-Authenticate: Digest realm="a"\r\n',
    });
    call.reply('401 Unauthorized', { at: 1, extra: 'WWW-Authenticate: Digest realm="b"\r\n' });
    expect(call.answers).toEqual(['407']);
    expect(headersOf(call.caller.last, 'WWW-Authenticate')).toEqual(['Digest realm="b"']);
  });

  it('goes to the next hop of a name before the next destination', async () => {
    const call = new ProxiedCall();
    call.harness.dns.address('a.example', '198.51.100.30').address('a.example', '198.51.100.31');
    call.order(['sip:a.example:5060', 'sip:198.51.100.21']);
    await expect.poll(() => call.harness.opened.length).toBe(1);
    call.reply('503 Service Unavailable', { at: 0 });
    expect(call.target(1).remote.address).toBe('198.51.100.31');
    call.reply('486 Busy Here', { at: 1 });
    expect(call.target(2).remote.address).toBe('198.51.100.21');
  });

  it('holds the CANCEL back until the hop that it is at has answered, and tries no further one', async () => {
    const call = new ProxiedCall();
    const { dns, clock } = call.harness;
    for (const last of [30, 31, 32]) dns.address('a.example', `198.51.100.${last}`);
    call.order(['sip:a.example:5060']);
    await expect.poll(() => call.harness.opened.length).toBe(1);
    call.reply('180 Ringing', { at: 0 });
    call.reply('503 Service Unavailable', { at: 0 });
    call.cancel();
    expect(call.target(1).lines).toEqual(['INVITE']);
    clock.advance(32_000);
    expect(call.harness.opened).toHaveLength(2);
    expect(call.answers).toEqual(['180', '200', '487']);
  });

  it('passes a name that leads nowhere', async () => {
    const call = start({}, ['sip:nowhere.example', 'sip:198.51.100.21']);
    await expect.poll(() => call.harness.opened.length).toBe(1);
    call.reply('200 OK', { at: 0 });
    expect(call.answers).toEqual(['200']);
  });
});

describe('simultaneous forking', () => {
  it('asks all at once; the first 200 wins, the others are cancelled and know why', () => {
    const call = start({ simultaneous: true });
    for (const at of [0, 1, 2]) call.reply('180 Ringing', { at });
    call.reply('200 OK', { at: 1, body: SDP });
    expect(call.answers).toEqual(['180', '180', '180', '200']);
    expect(call.reports).toEqual(['200', 'done']);
    for (const at of [0, 2]) {
      expect(call.target(at).lines).toEqual(['INVITE', 'CANCEL']);
      expect(call.target(at).lastHeader('Reason')).toBe('SIP;cause=200;text="Call completed elsewhere"');
      call.reply('487 Request Terminated', { at });
      expect(call.target(at).lines).toEqual(['INVITE', 'CANCEL', 'ACK']);
    }
    expect(call.target(1).lines).toEqual(['INVITE']);
    expect(call.answers).toEqual(['180', '180', '180', '200']);
    expect(call.harness.core.stats.proxiedRequests).toBe(0);
  });

  it('passes on every 200, for the caller to choose', () => {
    const call = start({ simultaneous: true });
    call.reply('180 Ringing', { at: 0 });
    call.reply('200 OK', { at: 1 });
    call.reply('200 OK', { at: 0 });
    expect(call.answers).toEqual(['180', '200', '200']);
    expect(call.caller.lastHeader('To')).toContain('tag=tag0');
    expect(call.reports).toEqual(['200', 'done']);
  });

  it('waits for all before it passes on a failure; a 6xx cancels the rest and is the answer', () => {
    const call = start({ simultaneous: true });
    call.reply('180 Ringing', { at: 0 });
    call.reply('486 Busy Here', { at: 2 });
    call.reply('603 Decline', { at: 1 });
    expect(call.target(0).lines).toEqual(['INVITE', 'CANCEL']);
    expect(call.target(0).lastHeader('Reason')).toBeUndefined();
    expect(call.answers).toEqual(['180']);
    call.reply('487 Request Terminated', { at: 0 });
    expect(call.answers).toEqual(['180', '603']);
    expect(call.reports).toEqual(['486', '603', '487', 'done']);
  });

  it('hears nothing of a ringing target once there is an answer', () => {
    const call = start({ simultaneous: true });
    call.reply('180 Ringing', { at: 0 });
    call.reply('200 OK', { at: 1 });
    call.reply('183 Session Progress', { at: 0 });
    call.reply('180 Ringing', { at: 2 });
    expect(call.answers).toEqual(['180', '200']);
    // It had not answered when the others did: its CANCEL was held back.
    expect(call.target(2).lines).toEqual(['INVITE', 'CANCEL']);
  });

  it('when none can be reached it is 500, told once', () => {
    const call = new ProxiedCall();
    call.harness.unreachable = true;
    call.order(three, { simultaneous: true });
    expect(call.answers).toEqual(['500']);
    expect(call.reports).toEqual(['done']);
    expect(call.harness.core.stats.proxiedRequests).toBe(0);
  });
});

describe('a CANCEL of the caller', () => {
  it('is answered, goes to all that ring, and ends with their 487; the application hears of it', () => {
    const call = start({ simultaneous: true });
    call.reply('180 Ringing', { at: 0 });
    call.reply('180 Ringing', { at: 1 });
    call.cancel('Reason: SIP;cause=200;text="answered on my other line"\r\n');
    expect(call.answers).toEqual(['180', '180', '200']);
    expect(header(call.caller.last, 'CSeq')).toBe('1 CANCEL');
    const cancel = call.target(0).last;
    expect(call.target(0).lines).toEqual(['INVITE', 'CANCEL']);
    for (const name of ['From', 'To', 'Call-ID', 'Max-Forwards']) {
      expect(header(cancel, name)).toBe(header(call.sent(0), name));
    }
    expect(headersOf(cancel, 'Via')).toEqual(headersOf(call.sent(0), 'Via').slice(0, 1));
    expect(header(cancel, 'Reason')).toBe('SIP;cause=200;text="answered on my other line"');
    expect(call.app.methods).toEqual(['INVITE', 'CANCEL']);
    call.reply('487 Request Terminated', { at: 0 });
    call.reply('487 Request Terminated', { at: 1 });
    // The third has yet to say anything.
    expect(call.answers).toEqual(['180', '180', '200']);
    expect(call.target(2).lines).toEqual(['INVITE']);
    call.reply('100 Trying', { at: 2, tag: '' });
    expect(call.target(2).lines).toEqual(['INVITE', 'CANCEL']);
    call.reply('487 Request Terminated', { at: 2 });
    expect(call.answers).toEqual(['180', '180', '200', '487']);
    expect(call.caller.lastHeader('To')).toContain('tag=tag0');
    expect(call.reports).toEqual(['487', '487', '487', 'done']);
  });

  it('comes once, however often it comes', () => {
    const call = start();
    call.reply('180 Ringing');
    call.cancel();
    call.cancel();
    expect(call.answers).toEqual(['180', '200', '200']);
    expect(call.target().lines).toEqual(['INVITE', 'CANCEL']);
    expect(call.app.methods).toEqual(['INVITE', 'CANCEL']);
  });

  it('keeps the next destination from being tried', () => {
    const call = start();
    call.reply('486 Busy Here', { at: 0 });
    call.reply('180 Ringing', { at: 1 });
    call.cancel();
    call.reply('487 Request Terminated', { at: 1 });
    expect(call.harness.opened).toHaveLength(2);
    expect(call.answers).toEqual(['180', '200', '487']);
  });

  it('that crosses a 200 loses', () => {
    const call = start();
    call.reply('180 Ringing');
    call.cancel();
    call.reply('200 OK', { body: SDP });
    expect(call.answers).toEqual(['180', '200', '200']);
    expect(header(call.caller.last, 'CSeq')).toBe('1 INVITE');
  });

  it('that a target never answers ends after 32 s', () => {
    const call = start();
    call.reply('180 Ringing');
    call.cancel();
    call.harness.clock.advance(31_999);
    expect(call.answers).toEqual(['180', '200']);
    call.harness.clock.advance(1);
    expect(call.answers).toEqual(['180', '200', '487']);
    expect(call.harness.core.stats).toMatchObject({ proxiedRequests: 0, clientTransactions: 0 });
  });

  it('while a name is being resolved sends nothing at all', async () => {
    const call = new ProxiedCall();
    call.harness.dns.address('a.example', '198.51.100.30');
    call.order(['sip:a.example:5060']);
    call.cancel();
    expect(call.answers).toEqual(['200', '487']);
    await new Promise((resolve) => setImmediate(resolve));
    expect(call.harness.opened).toEqual([]);
  });
});

describe('timeouts of the application', () => {
  it('the first response has to come in time, and 100 is one', () => {
    const call = start({ provisionalTimeout: '2s' });
    call.harness.clock.advance(2_000);
    expect(call.harness.opened).toHaveLength(2);
    call.reply('100 Trying', { at: 1, tag: '' });
    call.harness.clock.advance(20_000);
    expect(call.harness.opened).toHaveLength(2);
    // The first comes to life: it hears that it is not wanted any more.
    call.reply('180 Ringing', { at: 0 });
    expect(call.target(0).lines.slice(-1)).toEqual(['CANCEL']);
    call.reply('487 Request Terminated', { at: 0 });
    call.reply('200 OK', { at: 1 });
    expect(call.answers).toEqual(['200']);
  });

  it('the final response too', () => {
    const call = start({ finalTimeout: '1500ms' }, three.slice(0, 2));
    call.reply('180 Ringing', { at: 0 });
    call.harness.clock.advance(1_500);
    expect(call.target(0).lines).toEqual(['INVITE', 'CANCEL']);
    call.reply('487 Request Terminated', { at: 0 });
    expect(call.harness.opened).toHaveLength(2);
    call.harness.clock.advance(1_500);
    expect(call.answers).toEqual(['180', '408']);
    expect(call.reports).toEqual(['487', 'done']);
  });

  it('a 200 that comes after its time is still an answer', () => {
    const call = start({ finalTimeout: '1s' }, three.slice(0, 2));
    call.reply('180 Ringing', { at: 0 });
    call.harness.clock.advance(1_000);
    call.reply('200 OK', { at: 0 });
    expect(call.answers).toEqual(['180', '200']);
    expect(call.reports).toEqual(['200', 'done']);
  });

  it('a 200 that comes after a failure was passed on goes back all the same', () => {
    const call = start({ finalTimeout: '1s' }, three.slice(0, 1));
    call.reply('180 Ringing');
    call.harness.clock.advance(1_000);
    expect(call.answers).toEqual(['180', '408']);
    call.reply('200 OK');
    expect(call.answers).toEqual(['180', '408', '200']);
    // The failure is what its transaction repeats.
    call.harness.clock.advance(500);
    expect(call.answers.at(-1)).toBe('408');
  });
});

describe('timer C', () => {
  it('cancels a target that rings for more than three minutes without a sign of progress', () => {
    const call = start({}, three.slice(0, 2));
    call.reply('180 Ringing', { at: 0 });
    call.harness.clock.advance(180_000);
    call.reply('180 Ringing', { at: 0 });
    call.harness.clock.advance(180_000);
    // A 100 is no progress.
    call.reply('100 Trying', { at: 0, tag: '' });
    expect(call.target(0).lines).toEqual(['INVITE']);
    call.harness.clock.advance(5_000);
    expect(call.target(0).lines).toEqual(['INVITE', 'CANCEL']);
    expect(call.harness.opened).toHaveLength(2);
    call.reply('487 Request Terminated', { at: 0 });
    expect(call.target(0).lines).toEqual(['INVITE', 'CANCEL', 'ACK']);
  });

  it('is 408 in the end, also when the target does not answer its CANCEL', () => {
    const call = start({}, three.slice(0, 1));
    call.reply('180 Ringing');
    call.harness.clock.advance(185_000);
    expect(call.answers).toEqual(['180', '408']);
    call.harness.clock.advance(400_000);
    expect(call.harness.core.stats).toMatchObject({ proxiedRequests: 0, clientTransactions: 0 });
  });
});

describe('redirects', () => {
  const moved = '302 Moved Temporarily';
  const follow = { followRedirects: true };

  it('are the answer where nobody asked to follow them', () => {
    const call = start({}, three.slice(0, 1));
    call.reply(moved, { contact: '<sip:carol@203.0.113.1>' });
    expect(call.answers).toEqual(['302']);
    expect(call.caller.lastHeader('Contact')).toBe('<sip:carol@203.0.113.1>');
  });

  it('are followed in the order of their wishes, before the next destination', () => {
    const call = start(follow, three.slice(0, 2));
    call.reply(moved, {
      contact: '<sip:c@203.0.113.3>;q=0.1, <sip:a@203.0.113.1>, <sip:b@203.0.113.2:5070>;q=0.5',
    });
    expect(call.sent(1).uri).toBe('sip:a@203.0.113.1');
    call.reply('486 Busy Here', { at: 1 });
    expect(call.sent(2).uri).toBe('sip:b@203.0.113.2:5070');
    expect(call.target(2).remote).toEqual({ address: '203.0.113.2', port: 5070 });
    call.reply('486 Busy Here', { at: 2 });
    expect(call.sent(3).uri).toBe('sip:c@203.0.113.3');
    call.reply('404 Not Found', { at: 3 });
    expect(call.target(4).remote.address).toBe('198.51.100.21');
    call.reply('500 Server Internal Error', { at: 4 });
    // The 302 was no answer.
    expect(call.answers).toEqual(['486']);
    expect(call.reports).toEqual(['302', '486', '486', '404', '500', 'done']);
  });

  it('change the URI also of a request that is not for us', () => {
    const call = new ProxiedCall({ uri: 'sip:bob@example.com' }).order(undefined, follow);
    call.reply(moved, { contact: '<sip:carol@203.0.113.1>' });
    expect(call.sent(1).uri).toBe('sip:carol@203.0.113.1');
  });

  it('are followed five times, and never to where the request has been', () => {
    const call = start(follow, three.slice(0, 1));
    call.reply(moved, { contact: '<sip:198.51.100.20>' });
    expect(call.answers).toEqual(['302']);
    const circle = start(follow, three.slice(0, 1));
    for (const at of [0, 1]) circle.reply(moved, { at, contact: '<sip:carol@203.0.113.1>' });
    expect(circle.harness.opened).toHaveLength(2);
    expect(circle.answers).toEqual(['302']);
    const chain = start(follow, three.slice(0, 1));
    for (let at = 0; at < 6; at++) {
      chain.reply(moved, { at, contact: `<sip:hop${at}@203.0.113.1>, <sip:198.51.100.20>` });
    }
    expect(chain.harness.opened).toHaveLength(6);
    expect(chain.answers).toEqual(['302']);
    const fan = start({ ...follow, simultaneous: true }, three.slice(0, 1));
    fan.reply(moved, { contact: [1, 2, 3, 4, 5, 6, 7].map((n) => `<sip:203.0.113.${n}>`).join(', ') });
    expect(fan.harness.opened).toHaveLength(6);
  });

  it.each(['tel:+4930', 'mailto:a@example.com', 'sip:a@203.0.113.1?Subject=x'])(
    'to %s are the answer',
    (uri) => {
      const call = start(follow, three.slice(0, 1));
      call.reply(moved, { contact: `<${uri}>` });
      expect(call.harness.opened).toHaveLength(1);
      expect(call.answers).toEqual(['302']);
    },
  );

  it('do not lead a sips call into the clear', () => {
    const caller = new EngineHarness().peer('198.51.100.7', 40_000, 'tls');
    const call = new ProxiedCall({ uri: 'sips:bob@example.com', transport: 'TLS' }, { caller });
    call.order(['sips:198.51.100.20'], follow);
    call.reply(moved, { contact: '<sip:carol@203.0.113.1>' });
    expect(call.answers).toEqual(['302']);
  });
});
