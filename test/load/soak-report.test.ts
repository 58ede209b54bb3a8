import { expect, test } from 'vitest';
import type { GatewayProbe } from './gateway-probe.ts';
import type { Measured } from './rig.ts';
import { soakVerdicts } from './soak-report.ts';

const MIB = 2 ** 20;
const streams = {
  ...{ sent: 1000, received: 1000, lost: 0, failed: 0, returned: 0, duplicated: 0 },
  ...{ jitter: { p50: 0, p99: 1, p999: 2 }, lateShare: 0, generatorLate: { p99: 1 }, generatorCpuMs: 0 },
};

/** A soak of so many minutes. @param rssAt MiB, by the minute */
function soakOf(minutes: number, rssAt: (minute: number) => number, rtpLost = 0): Measured {
  const probe = (minute: number): GatewayProbe => ({
    at: minute * 60_000,
    rssBytes: 0,
    heapBytes: 0,
    openFiles: 60,
    metrics: new Map([['kallglot_rtp_lost_total', minute > 0 ? rtpLost : 0]]),
  });
  const marks = Array.from({ length: minutes }, (_, i) => i + 1);
  const moment = { tried: 300, succeeded: 300, failed: 0, streams, rssBytes: 0 };
  // Garbage is collected every minute: what has grown is what is left then.
  const memory = marks.flatMap((minute) =>
    [0, 200].map((garbage) => ({
      ...{ at: minute * 60_000 - garbage, heapBytes: 50 * MIB, externalBytes: MIB },
      rssBytes: (rssAt(minute) + (garbage * minute) / 60) * MIB,
    })),
  );
  return {
    result: {
      ...{ kind: 'soak', held: 200, retransmitted: 0, failures: {}, setUp: { p50: 1, p99: 2, max: 3 } },
      moments: [...marks, minutes].map(() => moment),
    },
    ...{
      tookMs: minutes * 60_000,
      cpuMs: 1,
      echoCpuMs: 1,
      waitedMs: 0,
      threads: {},
      rssBytes: 0,
      idleRssBytes: 0,
    },
    markedRssBytes: [],
    watched: { main: { loopDelayMs: 0, gcLongestMs: 0, gcTotalMs: 0, memory } },
    probes: [-1, 0, ...marks, minutes, minutes + 1].map(probe),
  };
}

test('an hour whose memory stays as it is meets every aim, whatever its first quarter is like', () => {
  const { met, text } = soakVerdicts(
    soakOf(60, (minute) => (minute < 14 ? 100 + minute * 10 : 240)),
    200,
  );
  expect(text).toContain('RSS stays as it is (240.0 MiB, +0.0 ± 0.0 an hour): met');
  expect(met).toBe(true);
});

test('memory that grows, a packet that is lost and a call that ends are told', () => {
  const growing = soakVerdicts(
    soakOf(60, (minute) => 240 + minute / 2),
    200,
  );
  expect(growing.text).toMatch(/RSS stays as it is \(\d+\.\d MiB, \+30\.0 ± 0\.0 an hour\): not met/);
  expect(growing.met).toBe(false);
  const lossy = soakVerdicts(
    soakOf(60, () => 240, 1),
    201,
  );
  expect(lossy.text).toContain('all calls stay up (200 of 201): not met');
  expect(lossy.text).toContain('no packet is lost (1 of 2000): not met');
});

test('a short run says nothing of growth', () => {
  const { met, text } = soakVerdicts(
    soakOf(5, (minute) => 100 * (minute + 2)),
    200,
  );
  expect(text).toContain('not judged by less than 20 minutes');
  expect(met).toBe(true);
});
