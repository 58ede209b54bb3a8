import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DigitPlayer, type DigitRun } from '../../src/bridge/digit-player.ts';
import { ApiError } from '../../src/errors.ts';

const timing = { durationMs: 100, gapMs: 100 };
const perDigit = timing.durationMs + timing.gapMs;

/** A peer that takes 200 ms a key, and what it was sent with the time of it. */
let log: string[];
let startedAt: number;
let player: DigitPlayer;
/** How many of a run go out by RTP; whether INFO is taken. */
let pressable: (run: DigitRun) => number;
let takesInfo: boolean;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  log = [];
  startedAt = performance.now();
  pressable = ({ digits }) => digits.length;
  takesInfo = true;
  const note = (text: string) => log.push(`${Math.round(performance.now() - startedAt)} ${text}`);
  player = new DigitPlayer({
    pressByRtp: async (run) => {
      note(`rtp ${run.digits}`);
      const count = pressable(run);
      await new Promise((resolve) => setTimeout(resolve, count * perDigit));
      return count;
    },
    pressByInfo: async (digit) => {
      note(`info ${digit}`);
      return takesInfo;
    },
    onPressed: (count, method) => note(`pressed ${count} ${method}`),
    onNotPressed: (count) => note(`not pressed ${count}`),
  });
});
afterEach(() => vi.useRealTimers());

const play = (digits: string) => player.play({ digits, ...timing });
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

test('runs go out at once, pauses are kept, runs that are asked for meanwhile follow', async () => {
  player.configure('rtp', true);
  play('w12,3');
  play('a');
  await pass(10_000);
  expect(log).toEqual([
    ...['500 rtp 12', '900 pressed 2 rtp', '2900 rtp 3', '3100 pressed 1 rtp'],
    ...['3100 rtp A', '3300 pressed 1 rtp'],
  ]);
  expect(player.count).toBe(4);
});

test('waits until the party hears us', async () => {
  play('1');
  await pass(60_000);
  expect(log).toEqual([]);
  player.configure('rtp', true);
  await pass(1000);
  expect(log).toEqual(['60000 rtp 1', '60200 pressed 1 rtp']);
});

test('what a hold cuts off goes on when it is over', async () => {
  player.configure('rtp', true);
  pressable = () => {
    player.configure('rtp', false);
    return 2;
  };
  play('1234');
  await pass(5000);
  pressable = ({ digits }) => digits.length;
  player.configure('rtp', true);
  await pass(5000);
  expect(log).toEqual(['0 rtp 1234', '400 pressed 2 rtp', '5000 rtp 34', '5400 pressed 2 rtp']);
});

describe('by INFO', () => {
  test('keys go one by one, as long apart as they last', async () => {
    player.configure('info', true);
    play('123');
    await pass(5000);
    expect(log).toEqual(['0 info 1', '200 info 2', '400 info 3', '600 pressed 3 info']);
  });

  test('a peer that does not take them is sent no more of the run', async () => {
    player.configure('info', true);
    takesInfo = false;
    play('123w4');
    await pass(5000);
    expect(log).toEqual(['0 info 1', '0 not pressed 3', '500 info 4', '500 not pressed 1']);
    expect(player.count).toBe(0);
  });

  test('what is left goes there when RTP takes no more', async () => {
    player.configure('rtp', true);
    pressable = () => {
      player.configure('info', true);
      return 1;
    };
    play('123');
    await pass(5000);
    expect(log).toEqual(['0 rtp 123', '200 pressed 1 rtp', '200 info 2', '400 info 3', '600 pressed 2 info']);
  });
});

test('a run that RTP does not take at all is given up', async () => {
  player.configure('rtp', true);
  pressable = () => 0;
  play('123');
  await pass(1000);
  expect(log).toEqual(['0 rtp 123', '0 not pressed 3']);
});

test('nothing goes out after the end of the leg, and nothing waits', async () => {
  player.configure('rtp', true);
  play('1,2');
  await pass(1000);
  player.close();
  play('3');
  await pass(10_000);
  expect(log).toEqual(['0 rtp 1', '200 pressed 1 rtp']);
  expect(vi.getTimerCount()).toBe(0);
});

test('256 characters wait at most', () => {
  for (let i = 0; i < 4; i++) play('1'.repeat(64));
  expect(() => play('1')).toThrow(ApiError);
});
