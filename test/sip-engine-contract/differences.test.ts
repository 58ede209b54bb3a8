import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, it } from 'vitest';
import { EngineApp } from '../support/engine-app.ts';
import { answerTo, headerIn } from '../support/sip-caller.ts';
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

/** What comes back for `ping` as the first frame of a connection. */
async function firstFrame({ running: { admin } }: Contract): Promise<string> {
  const socket = connect(admin.port, admin.host);
  const frame = '0a4e3c0e-0000-4000-8000-000000000000|ping';
  socket.write(`${frame.length}#${frame}`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return answer.toString();
}
