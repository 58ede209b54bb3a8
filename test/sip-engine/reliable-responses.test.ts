import { describe, expect, it } from 'vitest';
import { T1 } from '../../src/sip-engine/timers.ts';
import {
  DIALOG_ID,
  EngineHarness,
  type RecorderApp,
  type RecorderFlow,
  request,
  SDP,
} from '../support/engine-harness.ts';

const SUPPORTS = 'Supported: timer, 100rel\r\n';
const REQUIRES = 'Require: 100rel\r\n';
const RELIABLE = 'require: 100rel\r\n';

/** An INVITE that the application has been told of. */
function ring(extra = SUPPORTS) {
  const harness = new EngineHarness();
  const app = harness.app('invite');
  const peer = harness.peer();
  harness.receive(request({ extra, body: SDP }), peer);
  return { harness, app, peer, invite: app.transactionId };
}

const rseqOf = (peer: RecorderFlow): number => Number(peer.lastHeader('RSeq'));
const tagOf = (peer: RecorderFlow): string => /;tag=(\w+)/.exec(peer.lastHeader('To') ?? '')![1]!;

function prack(peer: RecorderFlow, cseq = 2, rack = `${rseqOf(peer)} 1 INVITE`): string {
  const extra = `RAck: ${rack}\r\n`;
  return request({ method: 'PRACK', branch: `z9hG4bKprack${cseq}`, cseq, toTag: tagOf(peer), extra });
}

/** Status codes without the 100. */
const statuses = (peer: RecorderFlow): string[] => peer.lines.filter((line) => line !== '100');
const accept = (app: RecorderApp): unknown => app.respond(app.transactionId, '200 OK');

describe('a reliable provisional response', () => {
  it('carries RSeq, Require and Contact, and its PRACK goes to the application on the early dialog', () => {
    const { harness, app, peer, invite } = ring();
    app.respond(invite, '183 Session Progress', RELIABLE, SDP);
    expect(rseqOf(peer)).toBeGreaterThan(0);
    expect(rseqOf(peer)).toBeLessThan(2 ** 31);
    expect(peer.lastHeader('Require')).toBe('100rel');
    expect(peer.lastHeader('Contact')).toBe('<sip:192.0.2.1:5060>');
    expect(app.lastAnswer.sip).toContain(`RSeq: ${rseqOf(peer)}\r\n`);
    const early = prack(peer);
    harness.receive(early, peer);
    expect(app.methods).toEqual(['INVITE', 'PRACK']);
    expect(app.lastEvent.tokens[9]).toBe(DIALOG_ID);
    accept(app);
    expect(peer.lastHeader('CSeq')).toBe('2 PRACK');
    harness.receive(early, peer);
    expect(statuses(peer)).toEqual(['183', '200', '200']);
    expect(app.methods).toEqual(['INVITE', 'PRACK']);
  });

  it('is repeated after T1 and then twice the interval without a cap until the PRACK, over TCP too', () => {
    for (const transport of ['udp', 'tcp'] as const) {
      const harness = new EngineHarness();
      const app = harness.app('invite');
      const peer = harness.peer('198.51.100.7', 5060, transport);
      harness.receive(request({ extra: SUPPORTS }), peer);
      app.respond(app.transactionId, '180 Ringing', RELIABLE);
      // At 0.5, 1.5, 3.5, 7.5 and 15.5 s; with a cap at T2 there would be one more.
      harness.clock.advance(16_000);
      expect(statuses(peer)).toHaveLength(6);
      harness.receive(prack(peer), peer);
      harness.clock.advance(40_000);
      expect(statuses(peer).filter((status) => status === '180')).toHaveLength(6);
    }
  });

  it('that is never acknowledged fails the INVITE after 64*T1, and the application hears a CANCEL', () => {
    const { harness, app, peer, invite } = ring();
    app.respond(invite, '180 Ringing', RELIABLE);
    harness.clock.advance(64 * T1 - 1);
    expect(statuses(peer)).not.toContain('504');
    harness.clock.advance(1);
    expect(peer.lines.at(-1)).toBe('504');
    expect(app.methods).toEqual(['INVITE', 'CANCEL']);
    expect(app.lastEvent.sip).toContain('Reason: SIP;cause=504;text="Server Time-out"\r\n');
    expect(app.respond(invite, '200 OK', '', SDP)[0]).toBe('NOK');
    expect(harness.core.stats).toMatchObject({ pracksMissing: 1, dialogs: 0, pendingInvites: 0 });
  });

  it('waits for the PRACK of the one before it; the numbers rise by one', () => {
    const { harness, app, peer, invite } = ring();
    app.respond(invite, '180 Ringing', RELIABLE);
    const first = rseqOf(peer);
    expect(app.respond(invite, '183 Session Progress', RELIABLE, SDP)[0]).toBe('OK');
    expect(statuses(peer)).toEqual(['180']);
    harness.receive(prack(peer), peer);
    expect(statuses(peer)).toEqual(['180', '183']);
    expect(rseqOf(peer)).toBe(first + 1);
  });

  it('does not wait in a queue without end', () => {
    const { app, invite } = ring();
    const answers = Array.from({ length: 12 }, () => app.respond(invite, '180 Ringing', RELIABLE)[0]);
    expect(answers.filter((answer) => answer === 'OK')).toHaveLength(9);
    expect(app.respond(invite, '180 Ringing', RELIABLE)[1]).toMatch(/PRACK/);
    expect(app.respond(invite, '486 Busy Here')[0]).toBe('OK');
  });

  it.each([
    ['another number', (peer: RecorderFlow) => `${rseqOf(peer) + 1} 1 INVITE`, '481'],
    ['another INVITE', (peer: RecorderFlow) => `${rseqOf(peer)} 7 INVITE`, '481'],
    ['another method', (peer: RecorderFlow) => `${rseqOf(peer)} 1 UPDATE`, '481'],
    ['no RAck that parses', () => 'one INVITE', '400'],
  ])('a PRACK with %s is refused by the engine', (_, rack, status) => {
    const { harness, app, peer, invite } = ring();
    app.respond(invite, '180 Ringing', RELIABLE);
    harness.receive(prack(peer, 2, rack(peer)), peer);
    expect(peer.lines.at(-1)).toBe(status);
    expect(app.methods).toEqual(['INVITE']);
  });

  it('a second PRACK for the same one gets 481, and one outside of dialogs too', () => {
    const { harness, app, peer, invite } = ring();
    app.respond(invite, '180 Ringing', RELIABLE);
    const rack = `${rseqOf(peer)} 1 INVITE`;
    harness.receive(prack(peer), peer);
    harness.receive(prack(peer, 3, rack), peer);
    expect(peer.lines.at(-1)).toBe('481');
    harness.receive(request({ method: 'PRACK', branch: 'z9hG4bKnone', callId: 'none' }), peer);
    expect(peer.lines.at(-1)).toBe('481');
    expect(app.methods).toEqual(['INVITE', 'PRACK']);
  });

  it('is refused to the application when the caller does not offer 100rel', () => {
    const { app, peer, invite } = ring('Supported: timer\r\n');
    expect(app.respond(invite, '183 Session Progress', RELIABLE, SDP)).toEqual([
      'NOK',
      'Remote endpoint does not support 100rel',
    ]);
    expect(peer.lines).toEqual(['100']);
    expect(app.respond(invite, '180 Ringing')[0]).toBe('OK');
  });

  it('is what every 18x becomes when the caller requires 100rel', () => {
    const { app, peer, invite } = ring(REQUIRES);
    app.respond(invite, '180 Ringing');
    expect(peer.lastHeader('Require')).toBe('100rel');
    expect(rseqOf(peer)).toBeGreaterThan(0);
  });

  it('can follow a re-INVITE, whose failure leaves the call up', () => {
    const { harness, app, peer, invite } = ring();
    app.respond(invite, '200 OK', '', SDP);
    const toTag = tagOf(peer);
    harness.receive(request({ method: 'ACK', branch: 'z9hG4bKack', toTag }), peer);
    harness.receive(request({ branch: 'z9hG4bKre', cseq: 2, toTag, extra: SUPPORTS }), peer);
    app.respond(app.transactionId, '183 Session Progress', RELIABLE, SDP);
    harness.receive(prack(peer, 3, `${rseqOf(peer)} 2 INVITE`), peer);
    expect(app.methods.at(-1)).toBe('PRACK');
    harness.clock.advance(64 * T1);
    expect(statuses(peer)).not.toContain('504');
    expect(harness.core.stats.dialogs).toBe(1);
  });
});

describe('a 2xx while a provisional response is not acknowledged', () => {
  it('is sent, and nothing is repeated any more; the late PRACK still counts', () => {
    const { harness, app, peer, invite } = ring(REQUIRES);
    app.respond(invite, '180 Ringing');
    const late = prack(peer);
    app.respond(invite, '200 OK', '', SDP);
    expect(statuses(peer)).toEqual(['180', '200']);
    harness.receive(request({ method: 'ACK', branch: 'z9hG4bKack', toTag: tagOf(peer) }), peer);
    harness.clock.advance(5_000);
    expect(statuses(peer)).toEqual(['180', '200']);
    harness.receive(late, peer);
    expect(app.methods).toEqual(['INVITE', 'ACK', 'PRACK']);
    harness.clock.advance(64 * T1);
    expect(harness.core.stats).toMatchObject({ pracksMissing: 0, dialogs: 1 });
  });

  it('waits when that one has SDP, and leaves with its PRACK', () => {
    const { harness, app, peer, invite } = ring();
    app.respond(invite, '183 Session Progress', RELIABLE, SDP);
    expect(app.respond(invite, '200 OK', '', SDP)[0]).toBe('OK');
    expect(statuses(peer)).toEqual(['183']);
    harness.receive(prack(peer), peer);
    expect(statuses(peer)).toEqual(['183', '200']);
    harness.receive(request({ method: 'ACK', branch: 'z9hG4bKack', toTag: tagOf(peer) }), peer);
    expect(app.methods).toEqual(['INVITE', 'PRACK', 'ACK']);
  });

  it('becomes a 504 when that PRACK never comes, and the application hears that the call is over', () => {
    const { harness, app, peer, invite } = ring();
    app.respond(invite, '183 Session Progress', RELIABLE, SDP);
    app.respond(invite, '200 OK', '', SDP);
    harness.clock.advance(64 * T1);
    expect(statuses(peer)).not.toContain('200');
    expect(statuses(peer)).toContain('504');
    expect(app.lastEvent.tokens.slice(2, 3)).toEqual(['application']);
    expect(app.transactionId).toBe('unsolicited');
    expect(harness.core.stats.dialogs).toBe(0);
  });
});

describe('a failure while a provisional response is not acknowledged', () => {
  it.each(['486 Busy Here', 'CANCEL', 'BYE'])('%s ends the repeating', (how) => {
    const { harness, app, peer, invite } = ring();
    app.respond(invite, '180 Ringing', RELIABLE);
    const toTag = tagOf(peer);
    if (how === 'CANCEL') harness.receive(request({ method: 'CANCEL' }), peer);
    else if (how === 'BYE')
      harness.receive(request({ method: 'BYE', branch: 'z9hG4bKb', cseq: 2, toTag }), peer);
    else app.respond(invite, how);
    harness.receive(request({ method: 'ACK', toTag }), peer);
    const before = statuses(peer).length;
    harness.clock.advance(64 * T1);
    expect(statuses(peer)).toHaveLength(before);
    expect(harness.core.stats).toMatchObject({ dialogs: 0, pracksMissing: 0 });
  });
});
