import { beforeEach, expect, test } from 'vitest';
import { KeyPresses } from '../../src/bridge/key-presses.ts';

let presses: KeyPresses;
beforeEach(() => {
  presses = new KeyPresses();
});

const rtp = (digit: string, now: number, durationMs = 100) =>
  presses.take({ digit, durationMs, method: 'rtp' }, now);
const info = (digit: string, now: number) => presses.take({ digit, durationMs: 160, method: 'info' }, now);

test('presses that come one way are each one', () => {
  expect([rtp('1', 0), rtp('1', 200), info('2', 400), info('2', 600)]).toEqual(Array(4).fill('new'));
  expect(presses.count).toBe(4);
});

test('a press that comes both ways is one, whichever is first', () => {
  expect([rtp('1', 0), info('1', 30), info('2', 300), rtp('2', 500)]).toEqual([
    'new',
    'known',
    'new',
    'known',
  ]);
  expect(presses.count).toBe(2);
});

test('the same key pressed quickly, both ways, is one each time', () => {
  const told = [0, 150, 300, 450].flatMap((at) => [rtp('5', at), info('5', at + 60)]);
  expect(told).toEqual(Array(4).fill(['new', 'known']).flat());
});

test('INFO when a long key goes down, and RTP when it is up, are one', () => {
  expect([info('9', 1000), rtp('9', 6000, 5000)]).toEqual(['new', 'known']);
});

test('the same key the other way much later is another press', () => {
  expect([rtp('1', 0), info('1', 1001)]).toEqual(['new', 'new']);
});

test('more than anybody presses are dropped', () => {
  const told = Array.from({ length: 100 }, (_, i) => rtp(String(i % 10), i));
  expect(told.filter((one) => one === 'new')).toHaveLength(41);
  expect(told.at(-1)).toBe('dropped');
  expect(rtp('1', 5000)).toBe('new');
});
