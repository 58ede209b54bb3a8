import { expect, it } from 'vitest';
import { OFFER } from '../support/engine-app.ts';
import { headerIn } from '../support/sip-caller.ts';
import { contract } from './contract.ts';

contract('reliable provisional answers', (contract) => {
  it('a reliable 183 is repeated until its PRACK, which the application hears of', async () => {
    const { caller, call } = await contract.dial('reliable');
    call.sendWith('INVITE', ['Supported: 100rel'], OFFER);
    const progress = await caller.next('SIP/2.0 183');
    expect(headerIn(progress, 'Require')).toBe('100rel');
    expect(await caller.next('SIP/2.0 183')).toBe(progress);
    call.learn(progress);
    call.sendWith('PRACK', [`RAck: ${headerIn(progress, 'RSeq')} ${headerIn(progress, 'CSeq')}`]);
    await contract.app.noticed(call.callId, 'prack');
    // The 200 to the INVITE may be repeated before the ACK.
    const answers = [await caller.next('SIP/2.0 200'), await caller.next('SIP/2.0 200')];
    expect(answers.map((answer) => headerIn(answer, 'CSeq'))).toContain('2 PRACK');
    call.send('ACK');
    await contract.app.noticed(call.callId, 'ack');
    await call.end();
  });

  it('are refused to the application when the caller does not offer 100rel', async () => {
    const { call } = await contract.dial('reliable');
    call.send('INVITE', OFFER);
    const { detail } = await contract.app.noticed(call.callId, 'refused');
    expect(detail).toBe('Remote endpoint does not support 100rel');
    call.cancel();
    await call.cancelled();
  });
});
