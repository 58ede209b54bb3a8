import { describe, expect, it } from 'vitest';
import { EngineHarness, establish, request, response, SDP } from '../support/engine-harness.ts';

describe('a banned source', () => {
  it('is met with silence: requests, garbage, stray responses', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite', 'options');
    const peer = harness.peer();
    harness.core.bans.add(peer.remote.address, 60_000);
    harness.receive(request(), peer);
    harness.receive(request({ method: 'OPTIONS' }), peer);
    harness.receive('INVITE sip:x SIP/7.0\r\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK1\r\n\r\n', peer);
    harness.receive(request({ method: 'BYE', toTag: 'guess' }), peer);
    expect(peer.lines).toEqual([]);
    expect(app.methods).toEqual([]);
    expect(harness.core.stats.dropsBanned).toBe(4);
    expect(harness.core.admits(peer.remote.address)).toBe(false);
  });

  it('is heard in its calls and transactions', () => {
    const harness = new EngineHarness();
    const peer = harness.peer();
    const { app, toTag } = establish(harness, peer);
    harness.receive(request({ branch: 'z9hG4bKpending', callId: 'other' }), peer);
    harness.core.bans.add(peer.remote.address, 60_000);
    expect(harness.core.admits(peer.remote.address)).toBe(true);
    harness.receive(request({ method: 'CANCEL', branch: 'z9hG4bKpending', callId: 'other' }), peer);
    expect(peer.lines.slice(-2)).toEqual(['200', '487']);
    harness.receive(request({ method: 'ACK', branch: 'z9hG4bKpending', callId: 'other', toTag: 'x' }), peer);
    harness.clock.advance(10_000);
    expect(peer.lines.slice(-2)).toEqual(['200', '487']);
    app.request('call@peer;from-tag=theirs', 'INFO');
    harness.receive(response(peer.last, '200 OK'), peer);
    expect(app.methods.at(-1)).toBe('200');
    harness.receive(request({ method: 'BYE', branch: 'z9hG4bKbye', cseq: 2, toTag }), peer);
    expect(app.methods.at(-1)).toBe('BYE');
    expect(harness.core.admits(peer.remote.address)).toBe(false);
  });

  it('is not even read, unless something is open with it', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite');
    const peer = harness.peer();
    const { address } = peer.remote;
    expect(harness.core.hears(address)).toBe(true);
    harness.core.bans.add(address, 600_000);
    expect(harness.core.hears(address)).toBe(false);
    expect(harness.core.stats.dropsBanned).toBe(1);
    harness.core.bans.remove(address);
    harness.receive(request(), peer);
    harness.core.bans.add(address, 600_000);
    expect(harness.core.hears(address)).toBe(true);
    app.respond(app.transactionId, '486 Busy Here');
    harness.clock.advance(64_000);
    expect(harness.core.hears(address)).toBe(false);
    expect(harness.core.hears('198.51.100.8')).toBe(true);
  });

  it('is heard while a call with it is up', () => {
    const harness = new EngineHarness();
    const peer = harness.peer();
    establish(harness, peer);
    harness.core.bans.add(peer.remote.address, 600_000);
    harness.clock.advance(64_000);
    expect(harness.core.hears(peer.remote.address)).toBe(true);
  });

  it('is heard when it answers what we sent', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite');
    harness.core.bans.add('198.51.100.9', 600_000);
    expect(harness.core.hears('198.51.100.9')).toBe(false);
    app.ask('sip||\r\nOPTIONS sip:peer@198.51.100.9 SIP/2.0\r\n\r\n');
    expect(harness.core.hears('198.51.100.9')).toBe(true);
    harness.clock.advance(64_000);
    expect(harness.core.hears('198.51.100.9')).toBe(false);
  });

  it('is served again when the ban has run out or is lifted', () => {
    const harness = new EngineHarness();
    harness.app('invite');
    const peer = harness.peer();
    harness.core.bans.add(peer.remote.address, 60_000);
    harness.clock.advance(59_999);
    harness.receive(request(), peer);
    expect(peer.lines).toEqual([]);
    harness.clock.advance(1);
    harness.receive(request(), peer);
    expect(peer.lines).toEqual(['100']);
    harness.core.bans.add('198.51.100.9', 60_000);
    harness.core.bans.remove('198.51.100.9');
    const other = harness.peer('198.51.100.9');
    harness.receive(request({ callId: 'b', branch: 'z9hG4bKb', viaParams: ';rport' }), other);
    expect(other.lines).toEqual(['100']);
  });

  it('does not make the table grow without bound: the oldest ban gives way', () => {
    const harness = new EngineHarness({ maxBans: 2 });
    for (const address of ['a', 'b', 'c']) harness.core.bans.add(address, 1_000);
    expect(['a', 'b', 'c'].map((address) => harness.core.bans.has(address))).toEqual([false, true, true]);
    expect(harness.core.stats.bans).toBe(2);
  });
});

describe('bounds', () => {
  const call = (n: number) => request({ branch: `z9hG4bK${n}`, callId: `call-${n}` });

  it('pending INVITEs of one source: 503 with Retry-After, until one is answered', () => {
    const harness = new EngineHarness({ maxPendingInvitesPerSource: 2 });
    const app = harness.app('invite');
    const peer = harness.peer();
    for (const n of [1, 2, 3]) harness.receive(call(n), peer);
    expect(peer.lines).toEqual(['100', '100', '503']);
    expect(peer.lastHeader('Retry-After')).toBe('5');
    app.respond(app.transactionId, '200 OK', '', SDP);
    harness.receive(call(4), peer);
    expect(peer.lines.at(-1)).toBe('100');
    expect(harness.core.stats.overloaded).toBe(1);
  });

  it('pending INVITEs in all, dialogs, and transactions', () => {
    for (const limits of [
      { maxPendingInvites: 1 },
      { maxTransactions: 1 },
      { maxTransactionsPerSource: 1 },
    ]) {
      const harness = new EngineHarness(limits);
      harness.app('invite');
      const peer = harness.peer();
      harness.receive(call(1), peer);
      harness.receive(call(2), peer);
      expect(peer.lines).toEqual(['100', '503']);
    }
    const harness = new EngineHarness({ maxDialogs: 1 });
    const peer = harness.peer();
    establish(harness, peer);
    harness.receive(call(2), peer);
    expect(peer.lines.at(-1)).toBe('503');
  });

  it('a call can be ended however full the tables are', () => {
    const harness = new EngineHarness({ maxTransactionsPerSource: 1 });
    const peer = harness.peer();
    const { app, toTag } = establish(harness, peer);
    harness.receive(request({ method: 'INFO', branch: 'z9hG4bKi', cseq: 2, toTag }), peer);
    expect(peer.lines.at(-1)).toBe('503');
    harness.receive(request({ method: 'BYE', branch: 'z9hG4bKbye', cseq: 3, toTag }), peer);
    expect(app.methods.at(-1)).toBe('BYE');
  });

  it('a transaction that has ended makes room', () => {
    const harness = new EngineHarness({ maxTransactionsPerSource: 1 });
    const app = harness.app('invite');
    const peer = harness.peer();
    harness.receive(call(1), peer);
    app.respond(app.transactionId, '486 Busy Here');
    harness.receive(call(2), peer);
    expect(peer.lines).toEqual(['100', '486', '503']);
    harness.clock.advance(32_000);
    harness.receive(call(3), peer);
    expect(peer.lines.at(-1)).toBe('100');
  });

  it('nothing is left of a call when it is over', () => {
    const harness = new EngineHarness();
    const peer = harness.peer();
    const { app, toTag } = establish(harness, peer);
    harness.receive(request({ method: 'BYE', branch: 'z9hG4bKbye', cseq: 2, toTag }), peer);
    app.respond(app.transactionId, '200 OK');
    harness.clock.advance(32_000);
    expect(harness.clock.pending).toBe(0);
    expect(harness.core.stats).toMatchObject({
      serverTransactions: 0,
      clientTransactions: 0,
      dialogs: 0,
      pendingInvites: 0,
    });
  });

  it('close leaves no timer', () => {
    const harness = new EngineHarness();
    const peer = harness.peer();
    const { app } = establish(harness, peer);
    harness.receive(call(2), peer);
    app.request('call@peer;from-tag=theirs', 'INFO');
    harness.core.close();
    expect(harness.clock.pending).toBe(0);
  });
});

describe('messages that are not as they should be', () => {
  it('are answered where that is possible, and never reach the application', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite');
    const peer = harness.peer();
    harness.receive(request().replace('SIP/2.0\r\nVia', 'SIP/3.0\r\nVia'), peer);
    harness.receive(request({ extra: 'CSeq: 2 INVITE\r\n' }), peer);
    harness.receive(request({ callId: 'with|bar' }), peer);
    expect(peer.lines).toEqual(['505', '400', '400']);
    expect(app.methods).toEqual([]);
    expect(harness.core.stats.malformed).toBe(3);
  });

  it('are dropped without an answer where it is not: no Via, ACK, responses to nothing', () => {
    const harness = new EngineHarness();
    harness.app('invite');
    const peer = harness.peer();
    harness.receive('hello', peer);
    harness.receive('INVITE sip:a SIP/2.0\r\nFrom: x\r\n\r\n', peer);
    harness.receive(request({ method: 'ACK', extra: 'To: <sip:twice>\r\n' }), peer);
    harness.receive(request({ method: 'ACK', toTag: 'nothing' }), peer);
    harness.receive('SIP/2.0 200 OK\r\n\r\n', peer);
    expect(peer.lines).toEqual([]);
    expect(harness.core.stats.dropped).toBe(5);
  });

  it.each(['X-Kallglot-Peer-Certificate', 'x-kallglot-PEER-certificate', '%58-Kallglot-Peer-Certificate'])(
    'a peer cannot send %s',
    (name) => {
      const harness = new EngineHarness();
      const app = harness.app('invite');
      harness.receive(request({ extra: `${name}: forged\r\nX-Other: kept\r\n` }), harness.peer());
      expect(app.lastEvent.sip).not.toContain('forged');
      expect(app.lastEvent.sip).toContain('X-Other: kept');
    },
  );
});

describe('where answers go (RFC 3261 §18.2.2, RFC 3581)', () => {
  it.each([
    ['with rport: to the source', { sentBy: '198.51.100.7:5080', viaParams: ';rport' }, undefined],
    ['without: to the port of sent-by', { sentBy: '198.51.100.7:5080' }, 5080],
    ['without, no port in sent-by: to 5060', { sentBy: '198.51.100.7' }, 5060],
    [
      'without, a host name in sent-by: to its port at the source address',
      { sentBy: 'pbx.example:5080' },
      5080,
    ],
    ['without, another address in sent-by, a NAT: to the source', { sentBy: '10.1.1.1:5080' }, undefined],
    ['maddr is ignored', { sentBy: '198.51.100.7:5080', viaParams: ';maddr=203.0.113.9' }, 5080],
  ])('%s', (_, parts, port) => {
    const harness = new EngineHarness();
    harness.app('invite');
    const peer = harness.peer('198.51.100.7', 40_000);
    harness.receive(request(parts), peer);
    const target = port === undefined ? peer : harness.opened[0];
    expect(target?.lines).toEqual(['100']);
    expect(target?.remote).toEqual({ address: '198.51.100.7', port: port ?? 40_000 });
  });

  it('without, an IPv6 address in capitals and with zeros: to its port', () => {
    const harness = new EngineHarness();
    harness.app('invite');
    const peer = harness.peer('2001:db8::a', 50_000);
    harness.receive(request({ sentBy: '[2001:DB8:0:0::A]:5080' }), peer);
    expect(harness.opened[0]?.remote).toEqual({ address: '2001:db8::a', port: 5080 });
    expect(harness.opened[0]?.lastHeader('Via')).not.toContain('received');
  });

  it('over TCP: the same connection, and when it is closed a new one', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite');
    const peer = harness.peer('198.51.100.7', 40_000, 'tcp');
    harness.receive(request({ transport: 'TCP', sentBy: '198.51.100.7:5080' }), peer);
    expect(peer.lines).toEqual(['100']);
    peer.open = false;
    app.respond(app.transactionId, '486 Busy Here');
    expect(harness.opened[0]?.lines).toEqual(['486']);
    expect(harness.opened[0]?.remote).toEqual({ address: '198.51.100.7', port: 5080 });
  });

  it('notes received and rport in the Via', () => {
    const harness = new EngineHarness();
    harness.app('invite');
    const peer = harness.peer('203.0.113.5', 40_000);
    harness.receive(request({ sentBy: '10.1.1.1:5060', viaParams: ';rport' }), peer);
    expect(peer.lastHeader('Via')).toBe(
      'SIP/2.0/UDP 10.1.1.1:5060;branch=z9hG4bKa;rport=40000;received=203.0.113.5',
    );
  });

  it('leaves the Vias below as they are, also behind a comma', () => {
    const harness = new EngineHarness();
    harness.app('invite');
    const peer = harness.peer();
    const below = 'SIP/2.0/UDP a.example;branch=z9hG4bK1';
    harness.receive(
      request({ viaParams: `, ${below}`, extra: 'Via: SIP/2.0/TCP b.example;branch=z9hG4bK2\r\n' }),
      peer,
    );
    expect(peer.raw[0]).toContain(
      `;rport=5060\r\nVia: ${below}\r\nVia: SIP/2.0/TCP b.example;branch=z9hG4bK2\r\n`,
    );
  });
});
