import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Lateness } from './lateness.ts';

test('what holds up the thread counts from when it began, but for what nobody hears', async () => {
  const lateness = new Lateness(/^none$/);
  await sleep(50);
  const before = performance.now();
  while (performance.now() - before < 300);
  await sleep(50);
  const after = performance.now();
  expect(lateness.since(before)).toBeGreaterThan(200);
  expect(lateness.since(after)).toBe(0);
  lateness.stop();
});
