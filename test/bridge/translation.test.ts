import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Translation } from '../../src/bridge/translation.ts';
import type { Outage } from '../../src/sessions/translation.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('an outage is told with what was known first of why, in plain words', () => {
  const told: Outage[] = [];
  const translation = new Translation(() => Date.now(), {
    onLate: () => undefined,
    onDegraded: (outage) => told.push(outage),
    onOutageOver: () => undefined,
  });
  translation.explain('nothing is missing yet');
  translation.callUp(true);
  translation.missing('pipeline_not_ready', 'the pipeline was not ready within a second');
  translation.explain('the key is not accepted');
  translation.explain('refused again');
  vi.advanceTimersByTime(1000);
  translation.back();
  translation.missing('pipeline_lost', 'the connection to the pipeline was lost');
  vi.advanceTimersByTime(1000);
  expect(told.map(({ detail }) => detail)).toEqual([
    'the pipeline was not ready within a second: the key is not accepted',
    'the connection to the pipeline was lost',
  ]);
});
