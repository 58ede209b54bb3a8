import { expect, it } from 'vitest';
import { ANSWER, HOLD, OFFER } from '../support/engine-app.ts';
import { answerTo, bodyOf, headerIn, headersIn } from '../support/sip-caller.ts';
import { CalleeCall } from './callee-call.ts';
import { CallerCall } from './caller-call.ts';
import { type Contract, contract } from './contract.ts';

const proxied = async (contract: Contract, callId: string): Promise<string | undefined> =>
  (await contract.app.noticed(callId, 'proxied')).detail;

contract('calls that the application sends on', (contract) => {
  it.each(['UDP', 'TCP'] as const)(
    'one over %s is answered, changed and ended without the application',
    async (transport) => {
      const callee = await contract.caller();
      const { caller, call: ours } = await contract.dialThrough([callee], { transport });
      const theirs = await CalleeCall.receive(callee);
      expect(theirs.invite.split('\r\n')[0]).toBe(`INVITE sip:${callee.address} SIP/2.0`);
      expect(headersIn(theirs.invite, 'Via')).toHaveLength(2);
      expect(headerIn(theirs.invite, 'Max-Forwards')).toBe('69');
      expect(headerIn(theirs.invite, 'Record-Route')).toContain(`<sip:${contract.sipAddress}`);
      expect(bodyOf(theirs.invite)).toBe(OFFER);
      theirs.answer('180 Ringing');
      const ringing = await caller.next('SIP/2.0 180');
      expect(headersIn(ringing, 'Via')).toHaveLength(1);
      theirs.answer('200 OK', ANSWER);
      const ok = await caller.next('SIP/2.0 200');
      expect(bodyOf(ok)).toBe(ANSWER);
      expect(await proxied(contract, ours.callId)).toBe('200 connected');
      ours.learn(ok);
      ours.send('ACK');
      expect((await callee.next('ACK')).split('\r\n')[0]).toBe(`ACK sip:${callee.address} SIP/2.0`);

      theirs.send('INVITE', HOLD);
      const hold = await caller.next('INVITE');
      expect(bodyOf(hold)).toBe(HOLD);
      caller.send(answerTo(hold, '200 OK', caller.address, ANSWER));
      expect(bodyOf(await callee.next('SIP/2.0 200'))).toBe(ANSWER);
      theirs.send('ACK');
      await caller.next('ACK');

      ours.send('BYE');
      theirs.answer('200 OK', '', await callee.next('BYE'));
      expect(headerIn(await caller.next('SIP/2.0 200'), 'CSeq')).toContain('BYE');
      expect(contract.app.count(ours.callId, 'invite')).toBe(1);
    },
  );

  it('one from UDP to TCP is answered, and ended by either side', async () => {
    for (const side of ['caller', 'callee']) {
      const callee = await contract.tcpCallee();
      const { caller, call: ours } = await contract.dialThrough([callee]);
      const theirs = await CalleeCall.receive(callee);
      expect(headersIn(theirs.invite, 'Via')[0]).toMatch(/^SIP\/2\.0\/TCP/);
      theirs.answer('200 OK', ANSWER);
      ours.learn(await caller.next('SIP/2.0 200'));
      ours.send('ACK');
      await callee.next('ACK');
      if (side === 'caller') {
        ours.send('BYE');
        theirs.answer('200 OK', '', await callee.next('BYE'));
        await caller.next('SIP/2.0 200');
      } else {
        theirs.send('BYE');
        caller.send(answerTo(await caller.next('BYE'), '200 OK', caller.address));
        await callee.next('SIP/2.0 200');
      }
    }
  });

  it('one for somebody else keeps its URI on the way to its destination', async () => {
    const [caller, callee] = [await contract.caller(), await contract.caller()];
    const ours = new CallerCall(caller, 'proxy', 'elsewhere.invalid', 5060);
    ours.sendWith('INVITE', [`X-Destinations: sip:${callee.address}`], OFFER);
    const theirs = await CalleeCall.receive(callee);
    expect(theirs.invite.split('\r\n')[0]).toBe('INVITE sip:proxy@elsewhere.invalid:5060 SIP/2.0');
    theirs.answer('486 Busy Here');
    ours.ackFailure(await caller.next('SIP/2.0 486'));
  });

  it('one is ended by the called side', async () => {
    const callee = await contract.caller();
    const { caller, call: ours } = await contract.dialThrough([callee]);
    const theirs = await CalleeCall.receive(callee);
    theirs.answer('200 OK', ANSWER);
    ours.learn(await caller.next('SIP/2.0 200'));
    ours.send('ACK');
    await callee.next('ACK');
    theirs.send('BYE');
    caller.send(answerTo(await caller.next('BYE'), '200 OK', caller.address));
    await callee.next('SIP/2.0 200');
  });

  it('one is cancelled by the caller', async () => {
    const callee = await contract.caller();
    const { caller, call: ours } = await contract.dialThrough([callee]);
    const theirs = await CalleeCall.receive(callee);
    theirs.answer('180 Ringing');
    await caller.next('SIP/2.0 180');
    ours.cancel();
    await theirs.canceled();
    await ours.cancelled();
    expect(await proxied(contract, ours.callId)).toBe('487 not connected');
  });

  it('one goes on to the next destination when the first is busy', async () => {
    const [busy, free] = [await contract.caller(), await contract.caller()];
    const { caller, call: ours } = await contract.dialThrough([busy, free]);
    const refused = await CalleeCall.receive(busy);
    refused.answer('486 Busy Here');
    const ack = await busy.next('ACK');
    expect(headerIn(ack, 'Via')).toBe(headerIn(refused.invite, 'Via'));
    const theirs = await CalleeCall.receive(free);
    theirs.answer('200 OK', ANSWER);
    ours.learn(await caller.next('SIP/2.0 200'));
    expect(await proxied(contract, ours.callId)).toBe('486 200 connected');
    ours.send('ACK');
    await free.next('ACK');
    ours.send('BYE');
    theirs.answer('200 OK', '', await free.next('BYE'));
  });

  it('one fails with the best of what its destinations say', async () => {
    const [first, second] = [await contract.caller(), await contract.caller()];
    const { caller, call: ours } = await contract.dialThrough([first, second]);
    (await CalleeCall.receive(first)).answer('486 Busy Here');
    (await CalleeCall.receive(second)).answer('500 Server Internal Error');
    const busy = await caller.next('SIP/2.0 486');
    ours.ackFailure(busy);
    expect(await proxied(contract, ours.callId)).toBe('486 500 not connected');
  });

  it('one rings at several destinations; the first that answers has it', async () => {
    const [slow, quick] = [await contract.caller(), await contract.caller()];
    const { caller, call: ours } = await contract.dialThrough([slow, quick], {
      forking: 'simultaneous',
    });
    const [ringing, answering] = [await CalleeCall.receive(slow), await CalleeCall.receive(quick)];
    ringing.answer('180 Ringing');
    await caller.next('SIP/2.0 180');
    answering.answer('200 OK', ANSWER);
    const ok = await caller.next('SIP/2.0 200');
    expect(headerIn(ok, 'Contact')).toContain(quick.address);
    ours.learn(ok);
    ours.send('ACK');
    await quick.next('ACK');
    await ringing.canceled();
    expect(await proxied(contract, ours.callId)).toBe('200 connected');
    ours.send('BYE');
    answering.answer('200 OK', '', await quick.next('BYE'));
  });
});
