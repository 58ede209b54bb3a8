import { expect, it } from 'vitest';
import { ANSWER, OFFER } from '../support/engine-app.ts';
import { answerTo, bodyOf, headerIn } from '../support/sip-caller.ts';
import { contract } from './contract.ts';

contract('calls that come in', (contract) => {
  it.each(contract.engine.transports)('carries a call over %s that the caller ends', async (transport) => {
    const { app } = contract;
    const { caller, call } = await contract.dial('ring-answer', transport);
    call.send('INVITE', OFFER);
    await caller.next('SIP/2.0 100');
    const ringing = await caller.next('SIP/2.0 180');
    const ok = await caller.next('SIP/2.0 200');
    expect(bodyOf(ok)).toBe(ANSWER);
    expect(headerIn(ok, 'To')).toBe(headerIn(ringing, 'To'));
    expect(headerIn(ok, 'Contact')).toContain(contract.sipAddressOver(transport));
    call.learn(ok);
    call.send('ACK');
    await app.noticed(call.callId, 'ack');
    const { dialog } = await app.noticed(call.callId, 'dialog');
    expect(dialog?.sip.callId).toBe(call.callId);
    expect(headerIn(ok, 'To')).toContain(`tag=${dialog?.sip.localTag}`);
    await call.end();
    expect((await app.noticed(call.callId, 'destroy')).detail).toBe('normal release');
  });

  it.each(contract.engine.transports)(
    'carries a call over %s that the application ends',
    async (transport) => {
      const { caller, call, dialog } = await contract.establish(transport);
      const ended = dialog.destroy();
      const bye = await caller.next('BYE');
      expect(headerIn(bye, 'Call-ID')).toBe(call.callId);
      expect(headerIn(bye, 'From')).toContain(`tag=${dialog.sip.localTag}`);
      caller.send(answerTo(bye, '200 OK', caller.address));
      await ended;
    },
  );

  it('passes a refusal on, and repeats it until the ACK', async () => {
    const { caller, call } = await contract.dial('busy');
    call.send('INVITE', OFFER);
    const busy = await caller.next('SIP/2.0 486');
    expect(await caller.next('SIP/2.0 486')).toBe(busy);
    call.ackFailure(busy);
  });

  it('a retransmitted INVITE reaches the application once', async () => {
    const { caller, call } = await contract.dial('answer');
    call.send('INVITE', OFFER);
    caller.send(call.lastSent);
    call.learn(await caller.next('SIP/2.0 200'));
    call.send('ACK');
    await call.end();
    expect(contract.app.count(call.callId, 'invite')).toBe(1);
  });

  it('late offer: the 200 carries the offer, the ACK the answer', async () => {
    const { call } = await contract.dial('answer');
    const ok = await call.establish('', ANSWER);
    expect(bodyOf(ok)).toBe(OFFER);
    expect((await contract.app.noticed(call.callId, 'ack')).detail).toBe(ANSWER);
    await call.end();
  });

  it('a 200 is repeated until its ACK; without one the call ends with a BYE and the reason', {
    timeout: 60_000,
  }, async () => {
    const { caller, call } = await contract.dial('answer');
    call.send('INVITE', OFFER);
    const ok = await caller.next('SIP/2.0 200');
    expect(await caller.next('SIP/2.0 200')).toBe(ok);
    const bye = await caller.next('BYE', 40_000);
    expect(headerIn(bye, 'Reason')).toContain('text="ACK timeout"');
    caller.send(answerTo(bye, '200 OK', caller.address));
    expect((await contract.app.noticed(call.callId, 'destroy')).detail).toBe('ACK timeout');
  });
});
