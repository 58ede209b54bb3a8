import { describe, expect, test } from 'vitest';
import type { GatewayProbe } from './gateway-probe.ts';
import type { OfferedCalls } from './overload-job.ts';
import { overloadAims, overloadNotes, overloadTable, refusalsOf } from './overload-report.ts';
import type { Measured } from './rig.ts';

const offered: OfferedCalls = {
  ...{ tried: 100, succeeded: 60, retransmitted: 4, answer: { p50: 2, p99: 9 }, generatorLate: { p99: 1 } },
  failures: { 'INVITE: 503': 30, 'INVITE: 408': 2, 'no answer to INVITE': 5, 'BYE: 481': 3 },
};

interface Course {
  held?: number;
  /** By the phones' sequence numbers, and by the gateway's own metrics, under the overload. */
  lost?: number;
  lostByGateway?: number;
  received?: number;
  lateShare?: number;
  takenAgainMs?: number;
}

function measuredOf(course: Course): Measured {
  const { held = 10, lost = 0, lostByGateway = 0, received = 1000, lateShare = 0, takenAgainMs } = course;
  const again = { ms: takenAgainMs, failures: { 'INVITE: 480': 2 } };
  const streams = {
    ...{ sent: 1000, received: 1000, lost: 0, failed: 0, returned: 0, duplicated: 0, lateShare: 0 },
    ...{ jitter: { p50: 0, p99: 1, p999: 2 }, generatorLate: { p99: 1 }, generatorCpuMs: 0 },
  };
  const alone = { seconds: 5, held: 10, streams };
  const under = { ...alone, streams: { ...streams, lost, received, lateShare } };
  const probe = (at: number, rtpLost: number): GatewayProbe => ({
    ...{ at: at * 5000, rssBytes: 0, heapBytes: 0, openFiles: 0 },
    metrics: new Map([
      ['kallglot_rtp_lost_total', rtpLost],
      ['kallglot_capacity_exhausted{resource="calls"}', 0],
      ['kallglot_capacity_exhausted{resource="media_delay_ms"}', at === 2 ? 1 : 0],
    ]),
  });
  return {
    result: { kind: 'overload', up: 10, phases: [alone, under, { ...alone, held }], offered, again },
    ...{ tookMs: 15_000, cpuMs: 1, echoCpuMs: 1, waitedMs: 0, threads: {}, rssBytes: 0, idleRssBytes: 0 },
    ...{ markedRssBytes: [], watched: {} },
    probes: [0, 0, lostByGateway, lostByGateway].map((rtpLost, at) => probe(at, rtpLost)),
  };
}

const missed = (measured: Measured): number =>
  overloadAims(measured, 10)
    .split('\n')
    .filter((line) => line.endsWith('not met')).length;

describe('what becomes of calls that are offered', () => {
  test('a refusal counts by its status, everything else that went wrong as neither', () => {
    expect(refusalsOf(offered)).toEqual({ refused: { 503: 30, 408: 2 }, neither: 8 });
  });

  test('what was neither is named, and refusals are not', () => {
    const notes = overloadNotes(measuredOf({}));
    expect(notes).toContain('5 times no answer to INVITE, 3 times BYE: 481');
    expect(notes).not.toContain('INVITE: 503');
    expect(notes).toContain('not in time (before: 2 times INVITE: 480)');
    expect(notes).toContain('nothing / media_delay_ms / nothing');
  });
});

describe('what the held calls had', () => {
  test('is a row for each phase, with the short calls in that of the overload', () => {
    const rows = overloadTable(measuredOf({ lost: 2, lostByGateway: 3, received: 898 })).split('\n');
    const [before, under, after] = rows.slice(2).map((row) => row.split(' | '));
    expect(before?.slice(2, 6)).toEqual(['10 of 10', '1000 / 1000', '0', '0.0 %']);
    expect(under?.slice(2, 6)).toEqual(['10 of 10', '1000 / 898', '5', '10.0 %']);
    expect(under?.slice(-5, -1)).toEqual(['100', '60', '2 by 408, 30 by 503', '8']);
    expect(after?.[4]).toBe('0');
  });

  test('meets all aims when nothing happens to them and a new call is taken', () => {
    expect(missed(measuredOf({ takenAgainMs: 900 }))).toBe(0);
  });

  test.each<Course>([{ held: 9 }, { lost: 1 }, { lostByGateway: 1 }, { lateShare: 0.02 }, { received: 900 }])(
    'misses an aim with %o',
    (course) => {
      expect(missed(measuredOf({ takenAgainMs: 900, ...course }))).toBe(1);
    },
  );

  test('misses an aim when no new call is taken', () => {
    expect(missed(measuredOf({}))).toBe(1);
  });
});
