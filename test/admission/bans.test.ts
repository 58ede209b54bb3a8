import { describe, expect, test } from 'vitest';
import { Bans, isScanner } from '../../src/admission/bans.ts';
import { PBX, STRANGER, TestClock } from './facts.ts';

const made = (maxSources?: number) => {
  const clock = new TestClock();
  const bans = new Bans({ after: 3, within_seconds: 60, for_seconds: 300 }, clock, maxSources);
  const strike = (source = STRANGER, times = 1) => {
    for (let i = 0; i < times; i++) bans.strike(source, 'wrong_credentials', false);
  };
  return { clock, bans, strike };
};

describe('a ban', () => {
  test('comes with the strike that reaches the limit, and is told once', () => {
    const { clock, bans } = made();
    const told = [1, 2, 3].map(() => bans.strike(STRANGER, 'scanner', false));
    expect(told).toEqual([null, null, { source: STRANGER, cause: 'scanner', until: clock.now() + 300_000 }]);
    expect(bans.isBanned(STRANGER, false)).toBe(true);
    expect(bans.list()).toEqual([told[2]]);
  });

  test('counts only the strikes of the last minute, wherever it begins', () => {
    const { clock, bans, strike } = made();
    strike(STRANGER, 1);
    clock.advance(40_000);
    strike(STRANGER, 1);
    clock.advance(20_000);
    strike(STRANGER, 1);
    expect(bans.isBanned(STRANGER, false)).toBe(false);
    clock.advance(19_999);
    strike(STRANGER, 1);
    expect(bans.isBanned(STRANGER, false)).toBe(true);
  });

  test('ends after its time, and strikes count from the beginning', () => {
    const { clock, bans, strike } = made();
    strike(STRANGER, 3);
    clock.advance(299_999);
    expect(bans.isBanned(STRANGER, false)).toBe(true);
    clock.advance(1);
    expect(bans.isBanned(STRANGER, false)).toBe(false);
    expect(bans.list()).toEqual([]);
    strike(STRANGER, 2);
    expect(bans.isBanned(STRANGER, false)).toBe(false);
  });

  test('is for one address', () => {
    const { bans, strike } = made();
    strike(STRANGER, 3);
    expect(bans.isBanned(PBX, false)).toBe(false);
  });
});

describe('exempt', () => {
  test('are allowlisted addresses', () => {
    const { bans } = made();
    for (let i = 0; i < 10; i++) expect(bans.strike(PBX, 'scanner', true)).toBeNull();
    expect(bans.isBanned(PBX, false)).toBe(false);
  });

  test('is an address that comes onto an allowlist while it is banned', () => {
    const { bans, strike } = made();
    strike(PBX, 3);
    expect(bans.isBanned(PBX, true)).toBe(false);
  });

  test('is an address from which a call or REGISTER succeeded in the last 24 h', () => {
    const { clock, bans, strike } = made();
    bans.succeeded(PBX);
    clock.advance(24 * 3600 * 1000 - 1);
    strike(PBX, 10);
    expect(bans.isBanned(PBX, false)).toBe(false);
    clock.advance(1);
    strike(PBX, 3);
    expect(bans.isBanned(PBX, false)).toBe(true);
  });
});

test('the tables are bounded, and what is dropped is counted', () => {
  const { bans, strike } = made(2);
  for (const source of ['192.0.2.1', '192.0.2.2', '192.0.2.3']) strike(source, 3);
  expect(bans.list().map((ban) => ban.source)).toEqual(['192.0.2.2', '192.0.2.3']);
  expect(bans.dropped).toBe(1);
});

test('the entry that was untouched for longest is the one that is dropped', () => {
  const { bans, strike } = made(2);
  strike('192.0.2.1', 1);
  strike('192.0.2.2', 1);
  strike('192.0.2.1', 1);
  strike('192.0.2.3', 1);
  strike('192.0.2.1', 1);
  expect(bans.isBanned('192.0.2.1', false)).toBe(true);
});

test.each(['friendly-scanner', 'sipcli/v1.8', 'SIPVicious', ' pplsip ', 'sip-scan 0.1', 'sundayddr'])(
  '%s is a scanner',
  (agent) => {
    expect(isScanner(agent)).toBe(true);
  },
);

test.each(['Asterisk PBX 23.4', 'FreeSWITCH-mod_sofia/1.11', 'SIPp', 'Grandstream', '', undefined])(
  '%s is none',
  (agent) => {
    expect(isScanner(agent)).toBe(false);
  },
);
