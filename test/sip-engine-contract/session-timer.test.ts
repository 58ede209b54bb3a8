import { expect, it } from 'vitest';
import { OFFER } from '../support/engine-app.ts';
import { answerTo, headerIn } from '../support/sip-caller.ts';
import { contract } from './contract.ts';

contract('session timers', (contract) => {
  /** A call whose 200 agrees to an interval of 90 s. */
  async function establish(refresher: 'uac' | 'uas') {
    const { caller, call } = await contract.dial('timer');
    const expires = `90;refresher=${refresher}`;
    call.sendWith('INVITE', ['Supported: timer', `Session-Expires: ${expires}`, 'Allow: INVITE, BYE'], OFFER);
    const ok = await caller.next('SIP/2.0 200');
    expect(headerIn(ok, 'Session-Expires')).toBe(expires);
    call.learn(ok);
    call.send('ACK');
    await contract.app.noticed(call.callId, 'ack');
    return { caller, call };
  }

  // Real time: the shortest interval that RFC 4028 allows is 90 s. The two cases run side by side.
  it('a session that nobody refreshes ends; one that is ours to refresh is refreshed, and the application hears nothing', {
    timeout: 120_000,
  }, async () => {
    const theirs = await establish('uac');
    const ours = await establish('uas');
    const refresh = await ours.caller.next('INVITE', 80_000);
    expect(headerIn(refresh, 'Session-Expires')).toMatch(/^90; ?refresher=uac$/);
    ours.caller.send(answerTo(refresh, '200 OK', ours.caller.address, OFFER));
    expect(headerIn(await ours.caller.next('ACK'), 'CSeq')).toMatch(/ ACK$/);
    const bye = await theirs.caller.next('BYE', 80_000);
    theirs.caller.send(answerTo(bye, '200 OK', theirs.caller.address));
    expect((await contract.app.noticed(theirs.call.callId, 'destroy')).detail).toMatch(/session timer/i);
    expect(contract.app.count(ours.call.callId, 'modify')).toBe(0);
    expect(contract.app.count(ours.call.callId, 'destroy')).toBe(0);
  });
});
