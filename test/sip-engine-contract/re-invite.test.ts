import { expect, it } from 'vitest';
import { ANSWER, HOLD } from '../support/engine-app.ts';
import { answerTo, bodyOf, headerIn } from '../support/sip-caller.ts';
import { contract } from './contract.ts';

contract('re-INVITE', (contract) => {
  it('of the caller: the application answers, its ACK arrives', async () => {
    const { caller, call } = await contract.establish();
    call.send('INVITE', HOLD);
    const ok = await caller.next('SIP/2.0 200');
    expect(bodyOf(ok)).toContain('a=recvonly');
    expect((await contract.app.noticed(call.callId, 'modify')).detail).toBe(HOLD);
    call.send('ACK');
    await expect.poll(() => contract.app.count(call.callId, 'ack')).toBe(2);
    await call.end();
  });

  it("of the application: the caller's answer arrives, the ACK goes out", async () => {
    const { caller, call, dialog } = await contract.establish();
    const modified = dialog.modify(HOLD);
    const invite = await caller.next('INVITE');
    expect(bodyOf(invite)).toBe(HOLD);
    expect(headerIn(invite, 'Contact')).toContain(contract.sipAddress);
    caller.send(answerTo(invite, '100 Trying', caller.address));
    caller.send(answerTo(invite, '200 OK', caller.address, ANSWER));
    expect(await modified).toBe(ANSWER);
    const ack = await caller.next('ACK');
    expect(headerIn(ack, 'CSeq')).toBe(headerIn(invite, 'CSeq').replace('INVITE', 'ACK'));
    await call.end();
  });

  it('of the application, refused: it is acknowledged for it, and the call stays', async () => {
    const { caller, call, dialog } = await contract.establish();
    const refused = expect(dialog.modify(HOLD)).rejects.toMatchObject({ status: 488 });
    const invite = await caller.next('INVITE');
    caller.send(answerTo(invite, '488 Not Acceptable Here', caller.address));
    await refused;
    const ack = await caller.next('ACK');
    expect(headerIn(ack, 'Via')).toContain(/branch=[^;]+/.exec(headerIn(invite, 'Via'))![0]);
    await call.end();
  });
});
