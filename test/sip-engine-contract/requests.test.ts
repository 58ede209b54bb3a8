import { expect, it } from 'vitest';
import { answerTo, headerIn } from '../support/sip-caller.ts';
import { contract } from './contract.ts';

contract('requests in and outside of a dialog', (contract) => {
  it('a request of the application inside a dialog gets its answer', async () => {
    const { caller, call, dialog } = await contract.establish();
    const answered = dialog.request({ method: 'OPTIONS' });
    caller.send(answerTo(await caller.next('OPTIONS'), '200 OK', caller.address));
    expect((await answered).status).toBe(200);
    await call.end();
  });

  it.each(contract.engine.transports)("OPTIONS over %s is the application's to answer", async (transport) => {
    const { caller, call } = await contract.dial('anybody', transport);
    call.send('OPTIONS');
    expect(headerIn(await caller.next('SIP/2.0 200'), 'Allow')).toBe('INVITE, ACK, BYE');
  });

  it('a method that the application does not take gets 503', async () => {
    const { caller, call } = await contract.dial('anybody');
    call.send('PUBLISH');
    await caller.next('SIP/2.0 503');
  });

  it('a request in a dialog that is not there gets 481', async () => {
    const { caller, call } = await contract.dial('answer');
    call.learn(`To: <sip:answer@${contract.sipAddress}>;tag=nothing`);
    call.send('BYE');
    await caller.next('SIP/2.0 481');
  });

  it('a second BYE gets 481', async () => {
    const { caller, call } = await contract.establish();
    await call.end();
    call.send('BYE');
    await caller.next('SIP/2.0 481');
  });
});
