import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Tests of single rooms that wait in real time, open sockets by the hundred, or start a PostgreSQL of their own. */
const realTime = [
  'test/fuzz/live.test.ts',
  'test/support/**/*.test.ts',
  'test/store/{store,postgres,rooms}.test.ts',
  'test/webhooks/{delivery,crash}.test.ts',
];

/**
 * Four suites: `unit` (pure cores and single rooms), `e2e` (the gateway and the test products, in real time), `contract`
 * (what both engines owe an application), `sipp` (SIPp scenarios).
 */
export default defineConfig({
  root,
  test: {
    projects: [
      {
        root,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**', 'test/sip-engine-contract/**', 'test/sipp/**', ...realTime],
          testTimeout: 20_000,
        },
      },
      {
        root,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts', ...realTime],
          testTimeout: 60_000,
          hookTimeout: 30_000,
          // They wait more than they compute.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        root,
        test: {
          name: 'contract',
          include: ['test/sip-engine-contract/**/*.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 30_000,
          fileParallelism: false,
        },
      },
      {
        root,
        test: {
          name: 'sipp',
          include: ['test/sipp/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 30_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
