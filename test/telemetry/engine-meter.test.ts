import { describe, expect, test } from 'vitest';
import { EngineMeter } from '../../src/telemetry/engine-meter.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';

describe('the counters of the SIP engine', () => {
  const metrics = createMetrics();
  const meter = new EngineMeter(metrics);
  const scraped = async (series: string) =>
    (await metrics.scrape()).split('\n').find((line) => line.startsWith(`kallglot_engine_${series} `));

  test('are told as what it holds, how loaded it is, and what has happened', async () => {
    meter.add({}, { dialogs: 3, queued: 7, delayMs: 250, lossPercent: 38, overloadedLate: 2 });
    expect(await scraped('state{kind="dialogs"}')).toMatch(/ 3$/);
    expect(await scraped('state{kind="queued"}')).toMatch(/ 7$/);
    expect(await scraped('load{kind="delay_ms"}')).toMatch(/ 250$/);
    expect(await scraped('load{kind="loss_percent"}')).toMatch(/ 38$/);
    expect(await scraped('events_total{kind="overloaded_late"}')).toMatch(/ 2$/);
  });

  test('go on where they were when a new engine counts from nothing', async () => {
    meter.add({}, { dialogs: 0, queued: 0, delayMs: 0, lossPercent: 0, overloadedLate: 1 });
    expect(await scraped('events_total{kind="overloaded_late"}')).toMatch(/ 3$/);
    expect(await scraped('state{kind="dialogs"}')).toMatch(/ 0$/);
  });
});
