import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { CallerCall } from '../sip-engine-contract/caller-call.ts';
import { OFFER } from '../support/engine-app.ts';
import { TestGateway } from '../support/gateway.ts';
import { headerIn, openCaller, type SipCaller } from '../support/sip-caller.ts';

/** A proxy in front of us forked an INVITE, and both branches lead here (RFC 3261 §8.2.2.2). */
describe('an INVITE that comes by two ways', () => {
  let gateway: TestGateway;
  const callers: SipCaller[] = [];
  beforeAll(async () => {
    gateway = await TestGateway.start();
  });
  afterEach(async () => {
    for (const caller of callers.splice(0)) await caller.close();
  });
  afterAll(() => gateway.stop());

  async function setUp() {
    const [host = '', port] = gateway.sipAddress().split(':');
    for (let i = 0; i < 2; i++) callers.push(await openCaller('UDP', Number(port), host));
    const [one, other] = callers as [SipCaller, SipCaller];
    const call = new CallerCall(one, await gateway.session(), host, Number(port));
    /** The same INVITE with the Via of another branch, from another address. */
    const sendCopy = (): void =>
      other.send(
        call.lastSent.replace(/^Via: .*$/m, `Via: SIP/2.0/UDP ${other.address};branch=z9hG4bKother`),
      );
    return { one, other, call, sendCopy };
  }

  test('at the same time: one is answered, the other gets 482', async () => {
    const { one, other, call, sendCopy } = await setUp();
    call.send('INVITE', OFFER);
    sendCopy();
    const merged = await other.next('SIP/2.0 482');
    expect(headerIn(merged, 'Via')).toContain('branch=z9hG4bKother');
    call.learn(await one.next('SIP/2.0 200'));
    call.send('ACK');
    await call.end();
  });

  test('one after the other, the call being up: 482 too, and the call stays', async () => {
    const { other, call, sendCopy } = await setUp();
    call.send('INVITE', OFFER);
    const invite = call.lastSent;
    call.learn(await callers[0]!.next('SIP/2.0 200'));
    call.send('ACK');
    call.lastSent = invite;
    sendCopy();
    await other.next('SIP/2.0 482');
    await call.end();
  });
});
