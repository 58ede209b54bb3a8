import { describe, expect, it } from 'vitest';
import {
  DIALOG_ID,
  EngineHarness,
  establish,
  type RecorderFlow,
  request,
  response,
  SDP,
} from '../support/engine-harness.ts';

/** A call that is up, and the UPDATEs of its peer. */
function established() {
  const harness = new EngineHarness();
  const peer = harness.peer();
  const { app, toTag } = establish(harness, peer);
  const update = (cseq: number, body = '', contact = '<sip:peer@198.51.100.7:5060>') =>
    harness.receive(
      request({ method: 'UPDATE', branch: `z9hG4bKu${cseq}`, cseq, toTag, body, contact }),
      peer,
    );
  const invite = (cseq: number) =>
    harness.receive(request({ branch: `z9hG4bKi${cseq}`, cseq, toTag, body: SDP }), peer);
  return { harness, app, peer, update, invite };
}

const refusedForNow = (peer: RecorderFlow): void => {
  expect(peer.lines.at(-1)).toBe('500');
  expect(Number(peer.lastHeader('Retry-After'))).toBeLessThanOrEqual(10);
};

describe('an UPDATE of the peer', () => {
  it('is answered by the application; its 2xx says where we are and where the peer is now', () => {
    const { app, peer, update } = established();
    update(2, SDP, '<sip:moved@198.51.100.9:5070>');
    expect(app.methods.at(-1)).toBe('UPDATE');
    expect(app.lastEvent.tokens[9]).toBe(DIALOG_ID);
    app.respond(app.transactionId, '200 OK', '', SDP);
    expect(peer.lastHeader('Contact')).toBe('<sip:192.0.2.1:5060>');
    expect(peer.lines.at(-1)).toBe('200');
    app.request(DIALOG_ID, 'INFO');
    expect(peer.raw.at(-1)).toMatch(/^INFO sip:moved@198.51.100.9:5070 /);
  });

  it('that is refused changes no target', () => {
    const { app, peer, update } = established();
    update(2, SDP, '<sip:moved@198.51.100.9:5070>');
    app.respond(app.transactionId, '488 Not Acceptable Here');
    app.request(DIALOG_ID, 'INFO');
    expect(peer.raw.at(-1)).toMatch(/^INFO sip:peer@198.51.100.7:5060 /);
  });

  it('gets 500 with Retry-After while an earlier one is not answered, with SDP or without', () => {
    for (const body of ['', SDP]) {
      const { app, peer, update } = established();
      update(2);
      update(3, body);
      refusedForNow(peer);
      expect(app.methods.filter((method) => method === 'UPDATE')).toHaveLength(1);
      app.respond(app.transactionId, '200 OK');
      update(4, body);
      expect(app.methods.at(-1)).toBe('UPDATE');
    }
  });

  it('with an offer gets 500 while its re-INVITE is not answered; one without is let through', () => {
    const { app, peer, update, invite } = established();
    invite(2);
    update(3, SDP);
    refusedForNow(peer);
    update(4);
    expect(app.methods.at(-1)).toBe('UPDATE');
  });

  it('with an offer gets 491 while a re-INVITE of ours is pending; one without is let through', () => {
    const { app, peer, update } = established();
    app.request(DIALOG_ID, 'INVITE', '', SDP);
    update(2, SDP);
    expect(peer.lines.at(-1)).toBe('491');
    update(3);
    expect(app.methods.at(-1)).toBe('UPDATE');
  });

  it('with an offer gets 491 while an UPDATE of ours with an offer is pending, and so does a re-INVITE', () => {
    const { harness, app, peer, update, invite } = established();
    app.request(DIALOG_ID, 'UPDATE', '', SDP);
    const ours = peer.last;
    update(2, SDP);
    expect(peer.lines.at(-1)).toBe('491');
    invite(3);
    expect(peer.lines.at(-1)).toBe('491');
    harness.receive(response(ours, '200 OK', '', SDP), peer);
    invite(4);
    expect(peer.lines.at(-1)).toBe('100');
  });

  it('that is not answered keeps a re-INVITE of either side away', () => {
    const { app, peer, update, invite } = established();
    update(2, SDP);
    expect(app.request(DIALOG_ID, 'INVITE', '', SDP)[0]).toBe('NOK');
    invite(3);
    refusedForNow(peer);
  });

  it('that the application leaves alone gets 500 in time, and the next one is let through', () => {
    const { harness, app, peer, update } = established();
    update(2);
    harness.clock.advance(24_000);
    expect(peer.lines.at(-1)).toBe('500');
    update(3);
    expect(app.methods.at(-1)).toBe('UPDATE');
  });

  it('outside of dialogs gets 481', () => {
    const { harness, app, peer } = established();
    harness.receive(request({ method: 'UPDATE', branch: 'z9hG4bKnone', callId: 'none' }), peer);
    expect(peer.lines.at(-1)).toBe('481');
    expect(app.methods).not.toContain('UPDATE');
  });

  it('in an early dialog reaches the application too, and the 200 to the INVITE keeps its target', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite');
    const peer = harness.peer();
    harness.receive(request({ body: SDP }), peer);
    const invite = app.transactionId;
    app.respond(invite, '180 Ringing');
    const toTag = /;tag=(\w+)/.exec(peer.lastHeader('To')!)![1]!;
    const contact = '<sip:moved@198.51.100.9:5070>';
    harness.receive(request({ method: 'UPDATE', branch: 'z9hG4bKu', cseq: 2, toTag, contact }), peer);
    expect(app.methods).toEqual(['INVITE', 'UPDATE']);
    app.respond(app.transactionId, '200 OK');
    app.respond(invite, '200 OK', '', SDP);
    harness.receive(request({ method: 'ACK', branch: 'z9hG4bKack', toTag }), peer);
    app.request(DIALOG_ID, 'INFO');
    expect(peer.raw.at(-1)).toMatch(/^INFO sip:moved@198.51.100.9:5070 /);
  });
});
