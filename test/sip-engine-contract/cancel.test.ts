import { expect, it } from 'vitest';
import { OFFER } from '../support/engine-app.ts';
import { contract } from './contract.ts';

contract('CANCEL of the caller', (contract) => {
  it('before any answer: 200, 487, and the application is told', async () => {
    const { call } = await contract.dial('silent');
    call.send('INVITE', OFFER);
    await contract.app.noticed(call.callId, 'invite');
    call.cancel();
    await call.cancelled();
    await contract.app.noticed(call.callId, 'cancel');
  });

  it('after 180: 200, 487, the application is told, and its late 200 is refused', async () => {
    const { caller, call } = await contract.dial('late-200');
    call.send('INVITE', OFFER);
    await caller.next('SIP/2.0 180');
    call.cancel();
    await call.cancelled();
    await contract.app.noticed(call.callId, 'cancel');
    const { detail } = await contract.app.noticed(call.callId, 'refused');
    expect(detail).toBe('Response not sent due to unknown transaction');
  });
});
