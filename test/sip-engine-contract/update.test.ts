import { expect, it } from 'vitest';
import { HOLD } from '../support/engine-app.ts';
import { answerTo, bodyOf } from '../support/sip-caller.ts';
import { contract } from './contract.ts';

contract('UPDATE', (contract) => {
  it('of the caller with an offer: the application answers it', async () => {
    const { caller, call } = await contract.establish();
    call.send('UPDATE', HOLD);
    const ok = await caller.next('SIP/2.0 200');
    expect(bodyOf(ok)).toContain('a=recvonly');
    expect((await contract.app.noticed(call.callId, 'update')).detail).toBe(HOLD);
    await call.end();
  });

  it('of the caller without SDP refreshes the call', async () => {
    const { caller, call } = await contract.establish();
    call.send('UPDATE');
    expect(bodyOf(await caller.next('SIP/2.0 200'))).toBe('');
    await contract.app.noticed(call.callId, 'update');
    await call.end();
  });

  it('of the application gets its answer', async () => {
    const { caller, call, dialog } = await contract.establish();
    const answered = dialog.request({ method: 'UPDATE' });
    const update = await caller.next('UPDATE');
    caller.send(answerTo(update, '200 OK', caller.address));
    expect((await answered).status).toBe(200);
    await call.end();
  });
});
