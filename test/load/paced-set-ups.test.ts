import { expect, test } from 'vitest';
import { SipHeaders } from '../support/sip-message.ts';
import { inWords, setUpPaced } from './paced-set-ups.ts';
import { RefusedCall } from './sip-caller.ts';

function refusal(status: number, retryAfter?: string): RefusedCall {
  const headers = new SipHeaders(retryAfter === undefined ? [] : [['Retry-After', retryAfter]]);
  return new RefusedCall({ status, reason: 'Refused', headers, body: '' });
}

/** Time in which nothing takes any: what is slept is written down. */
function stoppedTime() {
  const slept: number[] = [];
  return { slept, now: () => 1000, sleep: async (ms: number) => void slept.push(ms) };
}

test('calls are set up one after the other, 25 a second', async () => {
  const time = stoppedTime();
  const { calls, triedAgain, failures } = await setUpPaced(4, async (i) => `call ${i}`, time);
  expect(calls).toEqual(['call 0', 'call 1', 'call 2', 'call 3']);
  expect(time.slept).toEqual([0, 40, 80, 120]);
  expect({ triedAgain, failures }).toEqual({ triedAgain: 0, failures: {} });
});

test('no more than 20 are on their way at once', async () => {
  const answers: (() => void)[] = [];
  let onTheirWay = 0;
  let most = 0;
  const all = setUpPaced(
    50,
    async () => {
      most = Math.max(most, ++onTheirWay);
      await new Promise<void>((resolve) => answers.push(resolve));
      onTheirWay--;
    },
    stoppedTime(),
  );
  for (let answered = 0; answered < 50; ) {
    await new Promise(setImmediate);
    for (; answered < answers.length; answered++) answers[answered]?.();
  }
  expect((await all).calls).toHaveLength(50);
  expect(most).toBe(20);
});

test('one that is refused for the moment is tried again after what Retry-After says, within 5 s', async () => {
  const time = stoppedTime();
  const refusals = [refusal(503, '2'), refusal(480, '600 (later)'), refusal(503)];
  const { calls, triedAgain, failures } = await setUpPaced(
    1,
    async () => {
      const refused = refusals.shift();
      if (refused) throw refused;
      return 'up';
    },
    time,
  );
  expect({ calls, triedAgain, failures }).toEqual({ calls: ['up'], triedAgain: 3, failures: {} });
  expect(time.slept.filter((ms) => ms >= 1000)).toEqual([2000, 5000, 1000]);
});

test('after three times it is left, and the others go on', async () => {
  let tries = 0;
  const { calls, triedAgain, failures } = await setUpPaced(
    3,
    async (i) => {
      if (i !== 1) return i;
      tries++;
      throw refusal(503);
    },
    stoppedTime(),
  );
  expect(calls).toEqual([0, undefined, 2]);
  expect({ tries, triedAgain }).toEqual({ tries: 4, triedAgain: 3 });
  expect(failures).toEqual({ 'INVITE: 503 Refused': 1 });
});

test('what no waiting helps is not tried again', async () => {
  const errors = [refusal(404), new Error('INVITE: no final answer within 32000 ms')];
  const { triedAgain, failures } = await setUpPaced(
    2,
    async (i) => {
      throw errors[i];
    },
    stoppedTime(),
  );
  expect(triedAgain).toBe(0);
  expect(failures).toEqual({ 'INVITE: 404 Refused': 1, 'INVITE: no final answer within 32000 ms': 1 });
});

test('where nothing gets through any more, the rest is not tried', async () => {
  let tries = 0;
  const { calls, failures } = await setUpPaced(
    1000,
    async (i) => {
      if (i < 30) return i;
      tries++;
      throw refusal(503);
    },
    stoppedTime(),
  );
  expect(calls.filter((call) => call !== undefined)).toHaveLength(30);
  expect(tries).toBeLessThan(200);
  expect(Object.values(failures).reduce((sum, count) => sum + count)).toBe(970);
  expect(inWords(failures)).toMatch(/^\d+ times not tried any more, \d+ times INVITE: 503 Refused$/);
});
