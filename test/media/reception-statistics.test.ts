import { beforeEach, expect, test } from 'vitest';
import { ReceptionStatistics } from '../../src/media/reception-statistics.ts';
import { StatsBlock } from '../../src/media/stats-block.ts';

let stats: StatsBlock;
let statistics: ReceptionStatistics;

beforeEach(() => {
  stats = StatsBlock.create();
  statistics = new ReceptionStatistics(stats);
});

const count = (...sequences: number[]): void => {
  for (const sequence of sequences) statistics.count(sequence);
};

test('lost is expected less received, over the wrap of the sequence', () => {
  count(65_533, 65_534, 1, 2);
  expect(stats.read().packetsLost).toBe(2);
  count(65_535, 0);
  expect(stats.read().packetsLost).toBe(0);
});

test('duplicates do not make it negative', () => {
  count(1, 2, 2, 2, 3);
  expect(stats.read().packetsLost).toBe(0);
});

test('losses of earlier streams stay counted', () => {
  count(1, 4);
  statistics.restart();
  count(30_000, 30_001, 30_003);
  expect(stats.read().packetsLost).toBe(3);
});

test('a steady stream has no jitter, whatever its timestamps begin with and over their wrap', () => {
  for (let n = 0; n < 100; n++) statistics.arrived(1000 + n * 20, (0xffff_ffff - 4000 + n * 160) >>> 0, 8);
  expect(stats.read().jitterMs).toBeLessThan(0.01);
});

test('packets that come alternately 10 ms early and late tend to 20 ms of jitter (A.8)', () => {
  for (let n = 0; n < 500; n++) statistics.arrived(n * 20 + (n % 2 ? 10 : -10), n * 160, 8);
  expect(stats.read().jitterMs).toBeCloseTo(20, 1);
});
