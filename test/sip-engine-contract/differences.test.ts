import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, it } from 'vitest';
import { EngineApp, OFFER } from '../support/engine-app.ts';
import { answerTo, headerIn } from '../support/sip-caller.ts';
import { CalleeCall } from './callee-call.ts';
import { type Contract, contract } from './contract.ts';
import type { EngineUnderTest } from './engines.ts';

/** What one engine does, in words, and how to see it. */
interface Behaviour {
  does: string;
  check(contract: Contract): Promise<void>;
}

/** Every known difference, by name. Each is asserted for both. */
const differences: Record<string, Record<EngineUnderTest['name'], Behaviour>> = {
  'an application that is gone': {
    'the embedded engine': {
      does: 'ends its calls with a BYE',
      async check(contract) {
        const { caller } = await callOfLostApplication(contract);
        const bye = await caller.next('BYE');
        expect(headerIn(bye, 'Reason')).toContain('text="application lost"');
        caller.send(answerTo(bye, '200 OK', caller.address));
      },
    },
    'drachtio-server': {
      does: 'leaves its calls up, without an owner',
      async check(contract) {
        const { caller, call } = await callOfLostApplication(contract);
        call.send('BYE');
        await caller.next('SIP/2.0 481');
      },
    },
  },
  'an application that is gone while its call rings elsewhere': {
    'the embedded engine': {
      does: 'has it end with 503, and cancelled where it rings',
      async check(contract) {
        const { caller, call, theirs } = await ringingWithoutApplication(contract);
        call.ackFailure(await caller.next('SIP/2.0 503'));
        await theirs.canceled();
      },
    },
    'drachtio-server': {
      does: 'has it go on',
      async check(contract) {
        const { caller, call, theirs } = await ringingWithoutApplication(contract);
        theirs.answer('486 Busy Here');
        call.ackFailure(await caller.next('SIP/2.0 486'));
      },
    },
  },
  'the 487 to a cancelled call that was sent on': {
    'the embedded engine': {
      does: 'is that of the called side, so that an answer that crosses the CANCEL is not lost',
      check: async (contract) => {
        const { tag, theirs } = await cancelled(contract);
        expect(tag).toBe(theirs);
      },
    },
    'drachtio-server': {
      does: 'is its own, at once',
      check: async (contract) => {
        const { tag, theirs } = await cancelled(contract);
        expect(tag).not.toBe(theirs);
      },
    },
  },
  'a destination that asks for credentials': {
    'the embedded engine': {
      does: 'is one that refuses: the next may answer without',
      async check(contract) {
        const { caller, call, next } = await challenged(contract);
        (await CalleeCall.receive(next)).answer('486 Busy Here');
        // Its challenge is the better answer of the two.
        call.ackFailure(await caller.next('SIP/2.0 401'));
      },
    },
    'drachtio-server': {
      does: 'ends the search',
      async check(contract) {
        const { caller, call, next } = await challenged(contract);
        call.ackFailure(await caller.next('SIP/2.0 401'));
        expect(next.seen).toEqual([]);
      },
    },
  },
  'our Contact in an UPDATE and in the 200 to one': {
    'the embedded engine': {
      does: 'is there, as in every target refresh (RFC 3311 §5.1, §5.2)',
      check: async (contract) =>
        expect(await contactsOfUpdates(contract)).toEqual([
          expect.stringContaining(contract.sipAddress),
          expect.stringContaining(contract.sipAddress),
        ]),
    },
    'drachtio-server': {
      does: 'is in neither',
      check: async (contract) => expect(await contactsOfUpdates(contract)).toEqual(['', '']),
    },
  },
  'a CANCEL that comes after the 200': {
    'the embedded engine': {
      does: 'is answered 200, and changes nothing (RFC 3261 §9.2)',
      check: async (contract) => expect(await statusOfLateCancel(contract)).toBe('200'),
    },
    'drachtio-server': {
      does: 'is answered 481, for the transaction is gone',
      check: async (contract) => expect(await statusOfLateCancel(contract)).toBe('481'),
    },
  },
  'a frame in front of `authenticate`': {
    'the embedded engine': {
      does: 'is refused, and the connection closed',
      check: async (contract) => expect(await firstFrame(contract)).toContain('|NO|authenticate first'),
    },
    'drachtio-server': {
      does: 'is obeyed',
      check: async (contract) => expect(await firstFrame(contract)).toContain('|OK'),
    },
  },
};

contract('known differences', (contract) => {
  for (const [name, behaviours] of Object.entries(differences)) {
    const { does, check } = behaviours[contract.engine.name];
    it(`${name}: ${does}`, () => check(contract));
  }
});

/** The status of the answer to a CANCEL whose INVITE has its 200; the call is up afterwards. */
async function statusOfLateCancel(contract: Contract): Promise<string | undefined> {
  const { caller, call } = await contract.dial('answer');
  call.send('INVITE', OFFER);
  const ok = await caller.next('SIP/2.0 200');
  call.cancel();
  for (;;) {
    const answer = await caller.next('SIP/2.0 ');
    // The 200 may come again meanwhile.
    if (!headerIn(answer, 'CSeq').includes('CANCEL')) continue;
    call.learn(ok);
    call.send('ACK');
    call.send('BYE');
    await caller.next('SIP/2.0 200');
    return answer.split(' ')[1];
  }
}

/** A call whose application has lost its connection to the engine. */
async function callOfLostApplication(contract: Contract) {
  contract.app.disconnect();
  const other = new EngineApp();
  await other.connect(contract.running.admin);
  const { caller, call } = await contract.dial('answer');
  await call.establish();
  await other.noticed(call.callId, 'ack');
  other.disconnect();
  await contract.app.connect(contract.running.admin);
  return { caller, call };
}

/** A call that rings where its application has sent it; the application is gone, and another is there. */
async function ringingWithoutApplication(contract: Contract) {
  const callee = await contract.caller();
  const { caller, call } = await contract.dialThrough([callee]);
  const theirs = await CalleeCall.receive(callee);
  theirs.answer('180 Ringing');
  await caller.next('SIP/2.0 180');
  contract.app.disconnect();
  await contract.app.connect(contract.running.admin);
  return { caller, call, theirs };
}

/** The To tag of the 487 that the caller of a cancelled call gets, and that of the called side. */
async function cancelled(contract: Contract): Promise<{ tag: string; theirs: string }> {
  const callee = await contract.caller();
  const { caller, call } = await contract.dialThrough([callee]);
  const theirs = await CalleeCall.receive(callee);
  theirs.answer('180 Ringing');
  const ringing = await caller.next('SIP/2.0 180');
  call.cancel();
  await theirs.canceled();
  await call.cancelled();
  const terminated = caller.seen.find((message) => message.startsWith('SIP/2.0 487')) ?? '';
  return { tag: headerIn(terminated, 'To'), theirs: headerIn(ringing, 'To') };
}

/** A call that was sent on to a callee that challenges it, and would next go to another one. */
async function challenged(contract: Contract) {
  const [first, next] = [await contract.caller(), await contract.caller()];
  const { caller, call } = await contract.dialThrough([first, next]);
  const { invite } = await CalleeCall.receive(first);
  const challenge = { tag: 'challenger', extra: ['WWW-Authenticate: Digest realm="callee", nonce="n"'] };
  first.send(answerTo(invite, '401 Unauthorized', first.address, '', challenge));
  return { caller, call, next };
}

/** Of an UPDATE of the application, and of the 200 to one of its peer. */
async function contactsOfUpdates(contract: Contract): Promise<string[]> {
  const { caller, call, dialog } = await contract.establish();
  const answered = dialog.request({ method: 'UPDATE' });
  const update = await caller.next('UPDATE');
  caller.send(answerTo(update, '200 OK', caller.address));
  await answered;
  call.send('UPDATE');
  const contacts = [update, await caller.next('SIP/2.0 200')].map((one) => headerIn(one, 'Contact'));
  await call.end();
  return contacts;
}

/** What comes back for `ping` as the first frame of a connection. */
async function firstFrame({ running: { admin } }: Contract): Promise<string> {
  const socket = connect(admin.port, admin.host);
  const frame = '0a4e3c0e-0000-4000-8000-000000000000|ping';
  socket.write(`${frame.length}#${frame}`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return answer.toString();
}
