import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestGateway } from '../support/gateway.ts';
import { ImpairedPath, type Impairment } from '../support/impaired-path.ts';
import { runSipp, sippAvailable } from '../support/sipp.ts';

const sipp = sippAvailable();

/** Calls for each kind of network; more where the variable BAD_NETWORK_CALLS says so. */
const CALLS = Number(process.env.BAD_NETWORK_CALLS ?? 100);

/** What SIPp counts a call under that ended without a final answer. */
const hung = ['FailedMaxUDPRetrans(C)', 'FailedTimeoutOnRecv(C)', 'FailedTimeoutOnSend(C)'] as const;

describe.skipIf(!sipp.available)(`SIPp (${sipp.reason}) calls over a bad network`, () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await TestGateway.start();
  });
  afterAll(() => gateway.stop());

  test.each<[string, Omit<Impairment, 'seed'>]>([
    ['loses 5 %', { lossPercent: 5 }],
    ['loses 20 %', { lossPercent: 20 }],
    ['doubles 30 %', { duplicatePercent: 30 }],
    ['lets 30 % be overtaken', { delayMs: 5, reorderPercent: 30, reorderMs: 60 }],
    [
      'does all of it',
      { lossPercent: 10, duplicatePercent: 20, delayMs: 10, reorderPercent: 20, reorderMs: 60 },
    ],
  ])(
    'that %s: every call is answered, or refused, and ends',
    { timeout: 120_000 },
    async (_name, impairment) => {
      const path = await ImpairedPath.open(gateway.sipAddress(), { seed: 1, ...impairment });
      const users = await Promise.all(Array.from({ length: CALLS }, () => gateway.session()));
      const result = await runSipp({
        scenario: 'uac-bad-network',
        target: path.address,
        users,
        count: CALLS,
        rate: 50,
        timeoutSeconds: 90,
        // What comes late or twice is no reason to give a call up; an INVITE is sent for as long as timer B lasts.
        extra: ['-default_behaviors', 'all,-abortunexp', '-max_invite_retrans', '6'],
      });
      path.close();
      const { exitCode, successful, errors, stats } = result;
      expect({ exitCode, successful, hung: hung.map((name) => stats[name]) }, errors).toEqual({
        exitCode: 0,
        successful: CALLS,
        hung: ['0', '0', '0'],
      });
      // A machine that stalls refuses some.
      expect(Number(stats['refused(C)'])).toBeLessThan(CALLS / 2);
      // Nor does the gateway keep one: a BYE that was lost for good would leave its call up.
      await expect.poll(() => gateway.metric('kallglot_calls_active'), { timeout: 10_000 }).toBe(0);
      expect(path.counts.overflowed).toBe(0);
      if (impairment.lossPercent !== undefined) expect(path.counts.lost).toBeGreaterThan(CALLS / 10);
    },
  );
});
