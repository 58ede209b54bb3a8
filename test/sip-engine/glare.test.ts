import { describe, expect, it } from 'vitest';
import { header, type SipRequest } from '../../src/sip-engine/message.ts';
import { EngineHarness, request, response, SDP } from '../support/engine-harness.ts';
import { OutgoingCall } from '../support/outgoing-call.ts';

/** A call that we placed, in which both sides may change the session at once (RFC 3261 §14.1). */
function established() {
  const harness = new EngineHarness();
  const app = harness.app('invite');
  const call = new OutgoingCall(harness, app);
  call.establish();
  /** Without those that were sent again. */
  const invites = (): SipRequest[] => {
    const all = call.flow.sent.filter((one): one is SipRequest => one.kind === 'request');
    const invites = all.filter(({ method }) => method === 'INVITE');
    return [...new Map(invites.map((one) => [header(one, 'Via'), one])).values()];
  };
  const modify = () => app.request(call.dialogId, 'INVITE', 'Content-Type: application/sdp\r\n', SDP);
  const answer = (status: string) => harness.receive(response(invites().at(-1)!, status), call.flow);
  const changeByPeer = () => {
    const [callId, toTag] = call.dialogId.split(';from-tag=');
    const peer = { callId, toTag, fromTag: 'bob', cseq: 9, uri: 'sip:192.0.2.1:5060' };
    harness.receive(request({ ...peer, branch: 'z9hG4bKglare', body: SDP }), call.flow);
  };
  return { harness, app, call, invites, modify, answer, changeByPeer };
}

describe('a re-INVITE of ours that crosses one of the peer', () => {
  it('is tried again after 2.1 to 4 s by the side that owns the Call-ID, with a new CSeq', () => {
    const { harness, app, invites, modify, answer } = established();
    modify();
    answer('491 Request Pending');
    harness.clock.advance(2_000);
    expect(invites()).toHaveLength(2);
    harness.clock.advance(2_100);
    expect(invites()).toHaveLength(3);
    expect(header(invites()[2]!, 'CSeq')).toBe('3 INVITE');
    expect(invites()[2]!.body.toString()).toBe(SDP);
    answer('200 OK');
    expect(app.methods).toEqual(['200', '200']);
  });

  it('is told to the application after three tries', () => {
    const { harness, app, invites, modify, answer } = established();
    modify();
    for (let i = 0; i < 4; i += 1) {
      answer('491 Request Pending');
      harness.clock.advance(4_100);
    }
    expect(invites()).toHaveLength(5);
    expect(app.methods).toEqual(['200', '491']);
  });

  it('is the application’s to decide when the peer has changed the session meanwhile', () => {
    const { harness, app, invites, modify, answer, changeByPeer } = established();
    modify();
    answer('491 Request Pending');
    changeByPeer();
    harness.clock.advance(4_100);
    expect(invites()).toHaveLength(2);
    expect(app.methods).toEqual(['200', 'INVITE', '491']);
  });

  it('waits for nothing once the call has ended', () => {
    const { harness, app, call, modify, answer } = established();
    modify();
    answer('491 Request Pending');
    app.request(call.dialogId, 'BYE');
    harness.receive(response(call.flow.last, '200 OK'), call.flow);
    harness.clock.advance(4_100);
    expect(app.methods).toEqual(['200', '200', '491']);
  });

  it('the peer’s is refused with 491 while ours is pending', () => {
    const { call, modify, changeByPeer } = established();
    modify();
    changeByPeer();
    expect(call.flow.lines.at(-1)).toBe('491');
  });
});
