import { describe, expect, test } from 'vitest';
import type { CredentialsFacts } from '../../src/admission/credentials.ts';
import type { CallerFacts } from '../../src/admission/facts.ts';
import { ScannerDefence } from '../../src/sip/scanner-defence.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { none, STRANGER, TestClock, wrong } from '../admission/facts.ts';

const PBX_A = '192.0.2.10';
const PROXY = '192.0.2.99';
const SCANNER = 'friendly-scanner';

/** Organization `a` lists its PBX; a ban comes with the third strike and lasts 300 s. */
function made() {
  const clock = new TestClock();
  const lists = new Map([[PBX_A, ['a']]]);
  /** What the engine was told, in order. */
  const told: string[] = [];
  /** Whom the engine's caps of one source are not for. */
  const exempted: string[] = [];
  const metrics = createMetrics();
  const defence = new ScannerDefence({
    settings: { after: 3, within_seconds: 60, for_seconds: 300 },
    silencer: () => ({
      ban: (address, forMs) => void told.push(`ban ${address} ${forMs}`),
      unban: (address) => void told.push(`unban ${address}`),
      exempt: (address, forMs) => void exempted.push(`${address} ${forMs}`),
    }),
    isListed: (source, organization) =>
      (lists.get(source) ?? []).some((id) => organization === null || id === organization),
    isProxy: (source) => source === PROXY,
    ...{ clock, metrics, log: createLog('silent') },
  });
  const caller = (source: string, credentials: CredentialsFacts = none, certificate: string | null = null) =>
    ({
      ...{
        source,
        transport: 'udp',
        organizations: [],
        credentials,
        certificateOrganizations: certificate === null ? [] : [certificate],
      },
    }) satisfies CallerFacts;
  /** Wrong passwords for the username of an organization, or of nobody. */
  const guess = (source: string, organization: string | null, times = 3) => {
    const claimedOrganization = defence.mayClaim(organization ?? '', source) ? organization : null;
    for (let i = 0; i < times; i++) defence.judge(caller(source, { ...wrong, claimedOrganization }));
  };
  const isSilenced = (source: string) => defence.turnsAway(caller(source), undefined);
  return { clock, lists, told, exempted, metrics, defence, caller, guess, isSilenced };
}

describe('a stranger', () => {
  test('that guesses passwords is silenced, by the engine too', () => {
    const { defence, told, guess, isSilenced } = made();
    guess(STRANGER, 'a', 2);
    expect(isSilenced(STRANGER)).toBe(false);
    guess(STRANGER, null, 1);
    expect(isSilenced(STRANGER)).toBe(true);
    expect(told).toEqual([`ban ${STRANGER} 300000`]);
    expect(defence.list()).toMatchObject([{ source: STRANGER, cause: 'wrong_credentials', count: 3 }]);
  });

  test('that is a scanner is silenced, with any request', () => {
    const { defence, caller } = made();
    const turnedAway = [1, 2, 3].map(() => defence.turnsAway(caller(STRANGER), SCANNER));
    expect(turnedAway).toEqual([false, false, true]);
  });

  test('whose credentials are stale, absent or no guess of a nonce of its own is not', () => {
    const { defence, caller, isSilenced } = made();
    for (const credentials of [
      none,
      { ...none, verdict: 'stale' as const },
      { ...wrong, countsForBan: false },
    ]) {
      for (let i = 0; i < 5; i++) defence.judge(caller(STRANGER, credentials));
    }
    expect(isSilenced(STRANGER)).toBe(false);
  });
});

describe('a source that is known', () => {
  test.each([
    ['by the allowlist', PBX_A, () => undefined],
    ['by its calls', STRANGER, (defence: ScannerDefence) => defence.succeeded(STRANGER, 'a')],
  ])(
    '%s: wrong passwords of the organization that knows it and scanner names do not count',
    (_, source, prepare) => {
      const { defence, caller, guess, told } = made();
      prepare(defence);
      guess(source, 'a', 10);
      for (let i = 0; i < 10; i++) expect(defence.turnsAway(caller(source), SCANNER)).toBe(false);
      expect(defence.list()).toEqual([]);
      expect(told).toEqual([]);
    },
  );

  test.each([
    ['by the allowlist', PBX_A, () => undefined],
    ['by its calls', STRANGER, (defence: ScannerDefence) => defence.succeeded(STRANGER, 'a')],
  ])('%s: guessing passwords of others keeps it from more of it, but it is served', (_, source, prepare) => {
    const { clock, defence, guess, isSilenced, told } = made();
    prepare(defence);
    expect(defence.mayClaim('b', source)).toBe(true);
    guess(source, 'b');
    expect(defence.list()).toMatchObject([{ source, cause: 'wrong_credentials' }]);
    expect(isSilenced(source)).toBe(false);
    expect(told).toEqual([]);
    expect(defence.mayClaim('b', source)).toBe(false);
    expect(defence.mayClaim('a', source)).toBe(true);
    // Calls of A go on, and change nothing.
    defence.succeeded(source, 'a');
    expect(defence.mayClaim('b', source)).toBe(false);
    clock.advance(300_000);
    expect(defence.mayClaim('b', source)).toBe(true);
  });

  test('by another organization that calls from there is not kept from its own', () => {
    const { defence, guess } = made();
    defence.succeeded(PBX_A, 'b');
    guess(PBX_A, 'c');
    expect(['a', 'b', 'c'].map((id) => defence.mayClaim(id, PBX_A))).toEqual([true, true, false]);
  });

  test('by its certificate, and a proxy of ours, are served during a ban', () => {
    const { defence, caller, guess, isSilenced } = made();
    guess(PROXY, 'b');
    guess(STRANGER, 'b');
    expect(isSilenced(PROXY)).toBe(false);
    expect(defence.turnsAway(caller(STRANGER, none, 'a'), undefined)).toBe(false);
    expect(isSilenced(STRANGER)).toBe(true);
  });

  test('is heard again by the engine as soon as it is known', () => {
    const { defence, lists, told, guess } = made();
    guess(STRANGER, 'a');
    lists.set(STRANGER, ['b']);
    defence.review();
    guess('203.0.113.67', 'a');
    defence.succeeded('203.0.113.67', 'a');
    expect(told.filter((one) => one.startsWith('unban'))).toEqual([
      `unban ${STRANGER}`,
      'unban 203.0.113.67',
    ]);
  });
});

describe('by hand', () => {
  test('any address is banned, known or not, however it is written, and heard when the ban is lifted', () => {
    const { clock, defence, told, isSilenced } = made();
    const since = clock.now();
    expect(defence.ban(PBX_A, 60_000)).toEqual({
      ...{ source: PBX_A, cause: 'operator', count: 0, since, until: since + 60_000 },
    });
    expect(isSilenced(PBX_A)).toBe(true);
    defence.succeeded(PBX_A, 'a');
    defence.review();
    expect(isSilenced(PBX_A)).toBe(true);
    expect(defence.lift(`::ffff:${PBX_A}`)).toBe(true);
    expect(isSilenced(PBX_A)).toBe(false);
    expect(told).toEqual([`ban ${PBX_A} 60000`, `unban ${PBX_A}`]);
    defence.ban('2001:DB8:0::1', 60_000);
    expect(isSilenced('2001:db8::1')).toBe(true);
  });

  test('a ban that is not there cannot be lifted; the engine hears of it all the same', () => {
    const { defence, told } = made();
    expect(defence.lift(STRANGER)).toBe(false);
    expect(told).toEqual([`unban ${STRANGER}`]);
  });
});

test('an engine that is started anew learns whom to silence, and for how much longer', () => {
  const { clock, defence, told, guess } = made();
  guess(STRANGER, 'a');
  guess(PBX_A, 'b');
  defence.ban('203.0.113.67', 60_000);
  clock.advance(10_000);
  told.length = 0;
  defence.repeat();
  expect(told).toEqual([`ban ${STRANGER} 290000`, 'ban 203.0.113.67 50000']);
});

test('a source that somebody has called from is exempt for a day, for a new engine too', () => {
  const { clock, defence, exempted } = made();
  defence.succeeded(STRANGER, 'a');
  expect(exempted).toEqual([`${STRANGER} 86400000`]);
  clock.advance(10_000);
  exempted.length = 0;
  defence.repeat();
  expect(exempted).toEqual([`${STRANGER} 86390000`]);
  clock.advance(86_390_000);
  exempted.length = 0;
  defence.repeat();
  expect(exempted).toEqual([]);
});
