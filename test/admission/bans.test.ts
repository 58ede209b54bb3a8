import { describe, expect, test } from 'vitest';
import { Bans, isScanner } from '../../src/admission/bans.ts';
import { PBX, STRANGER, TestClock } from './facts.ts';

const made = (maxSources?: number) => {
  const clock = new TestClock();
  const bans = new Bans({ after: 3, within_seconds: 60, for_seconds: 300 }, clock, maxSources);
  const strike = (source = STRANGER, times = 1) => {
    for (let i = 0; i < times; i++) bans.strike(source, 'wrong_credentials');
  };
  const isBanned = (source = STRANGER) => bans.inForce(source) !== undefined;
  return { clock, bans, strike, isBanned };
};

describe('a ban', () => {
  test('comes with the strike that reaches the limit, and is told once', () => {
    const { clock, bans, isBanned } = made();
    const told = [1, 2, 3].map(() => bans.strike(STRANGER, 'scanner'));
    const since = clock.now();
    const ban = { source: STRANGER, cause: 'scanner', count: 3, since, until: since + 300_000 };
    expect(told).toEqual([null, null, ban]);
    expect(isBanned()).toBe(true);
    expect(bans.list()).toEqual([ban]);
  });

  test('counts only the strikes of the last minute, wherever it begins', () => {
    const { clock, strike, isBanned } = made();
    strike(STRANGER, 1);
    clock.advance(40_000);
    strike(STRANGER, 1);
    clock.advance(20_000);
    strike(STRANGER, 1);
    expect(isBanned()).toBe(false);
    clock.advance(19_999);
    strike(STRANGER, 1);
    expect(isBanned()).toBe(true);
  });

  test('ends after its time, and strikes count from the beginning', () => {
    const { clock, bans, strike, isBanned } = made();
    strike(STRANGER, 3);
    clock.advance(299_999);
    expect(isBanned()).toBe(true);
    clock.advance(1);
    expect(isBanned()).toBe(false);
    expect(bans.list()).toEqual([]);
    strike(STRANGER, 2);
    expect(isBanned()).toBe(false);
  });

  test('is for one address', () => {
    const { strike, isBanned } = made();
    strike(STRANGER, 3);
    expect(isBanned(PBX)).toBe(false);
  });

  test('by hand comes at once, for as long as is said, in place of what was there', () => {
    const { clock, bans, strike } = made();
    strike(STRANGER, 3);
    bans.ban(STRANGER, 'operator', 1_000);
    expect(bans.list()).toMatchObject([{ cause: 'operator', count: 0, until: clock.now() + 1_000 }]);
  });

  test('that is lifted is gone with its strikes', () => {
    const { bans, strike, isBanned } = made();
    expect(bans.lift(STRANGER)).toBe(false);
    strike(STRANGER, 3);
    strike(STRANGER, 2);
    expect(bans.lift(STRANGER)).toBe(true);
    expect(isBanned()).toBe(false);
    strike(STRANGER, 2);
    expect(isBanned()).toBe(false);
  });
});

test('it is remembered for a day who called from where', () => {
  const { clock, bans } = made();
  bans.succeeded(PBX, 'acme');
  clock.advance(24 * 3600 * 1000 - 1);
  expect(bans.isTrusted(PBX)).toBe(true);
  expect(bans.isTrusted(PBX, 'acme')).toBe(true);
  expect(bans.isTrusted(PBX, 'other')).toBe(false);
  expect(bans.isTrusted(STRANGER)).toBe(false);
  clock.advance(1);
  expect(bans.isTrusted(PBX)).toBe(false);
  expect(bans.isTrusted(PBX, 'acme')).toBe(false);
});

test('the tables are bounded, and what is dropped is counted', () => {
  const { bans, strike } = made(2);
  for (const source of ['192.0.2.1', '192.0.2.2', '192.0.2.3']) strike(source, 3);
  expect(bans.list().map((ban) => ban.source)).toEqual(['192.0.2.2', '192.0.2.3']);
  expect(bans.dropped).toBe(1);
});

test('the entry that was untouched for longest is the one that is dropped', () => {
  const { strike, isBanned } = made(2);
  strike('192.0.2.1', 1);
  strike('192.0.2.2', 1);
  strike('192.0.2.1', 1);
  strike('192.0.2.3', 1);
  strike('192.0.2.1', 1);
  expect(isBanned('192.0.2.1')).toBe(true);
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
