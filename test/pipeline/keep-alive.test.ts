import { expect, test } from 'vitest';
import { KeepAlive } from '../../src/pipeline/keep-alive.ts';

/** Asks every 10 ms, as the ticker does. */
function run(keepAlive: KeepAlive, from: number, to: number): string[] {
  const seen: string[] = [];
  for (let now = from; now <= to; now += 10) {
    const due = keepAlive.check(now);
    if (due !== undefined) seen.push(`${due} at ${now}`);
  }
  return seen;
}

test('pings every second while it is answered', () => {
  const keepAlive = new KeepAlive(0);
  for (let second = 1; second <= 10; second++) {
    expect(run(keepAlive, (second - 1) * 1000 + 10, second * 1000)).toEqual([`ping at ${second * 1000}`]);
    expect(keepAlive.answered(second * 1000 + 5)).toBe(5);
  }
});

test('a ping that is not answered for 3 s means lost', () => {
  expect(run(new KeepAlive(0), 0, 4000)).toEqual(['ping at 1000', 'lost at 4000']);
});

test('an answer after 2.9 s is in time', () => {
  const keepAlive = new KeepAlive(0);
  run(keepAlive, 0, 3900);
  expect(keepAlive.answered(3900)).toBe(2900);
  expect(run(keepAlive, 3910, 4000)).toEqual(['ping at 4000']);
});

test('a pause of this process does not make the peer lost: its answer may wait in the socket', () => {
  const keepAlive = new KeepAlive(0);
  run(keepAlive, 0, 1000);
  expect(keepAlive.check(60_000)).toBeUndefined();
  expect(keepAlive.answered(60_001)).toBeDefined();
  expect(run(keepAlive, 60_010, 61_000)).toEqual(['ping at 61000']);
});

test('a pong that nobody asked for is ignored', () => {
  const keepAlive = new KeepAlive(0);
  expect(keepAlive.answered(10)).toBeUndefined();
});
