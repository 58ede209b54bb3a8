import { getPriority } from 'node:os';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';

test('a thread is put before the others of its process, where that is allowed, and no other is', async () => {
  const module = new URL('../../src/media/thread-priority.ts', import.meta.url).href;
  const code = `
    const { readlinkSync } = require('node:fs');
    const { getPriority } = require('node:os');
    import('${module}').then(({ preferThisThread }) => {
      const done = preferThisThread();
      const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
      require('node:worker_threads').parentPort.postMessage({ done, nice: getPriority(thread) });
    });`;
  const before = getPriority();
  const worker = new Worker(code, { eval: true });
  const { done, nice } = await new Promise<{ done: boolean; nice: number }>((resolve, reject) => {
    worker.once('message', resolve).once('error', reject);
  });
  await worker.terminate();
  expect(nice).toBe(done ? -10 : before);
  expect(getPriority()).toBe(before);
});
