import { expect, test } from 'vitest';
import { counter, StatsBlock } from '../../src/media/stats-block.ts';

test('what one thread counts the other reads', () => {
  const main = StatsBlock.create();
  const worker = new StatsBlock(main.buffer);
  expect(main.read()).toMatchObject({ packetsReceived: 0, silentForMs: -1, source: '' });
  worker.add(counter.packetsReceived, 2);
  worker.add(counter.packetsReceived, 1);
  worker.set(counter.jitterMs, 1.25);
  worker.setSource('192.0.2.1:4000');
  expect(main.read()).toMatchObject({ packetsReceived: 3, jitterMs: 1.25, source: '192.0.2.1:4000' });
  worker.setSource('[2001:db8::1]:5');
  expect(main.read().source).toBe('[2001:db8::1]:5');
});

test('a source of any length is kept within its place', () => {
  const block = StatsBlock.create();
  block.setSource(`fe80::1%${'x'.repeat(200)}:9`);
  expect(block.read().source).toHaveLength(63);
});
