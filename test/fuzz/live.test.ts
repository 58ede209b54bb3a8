import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { engineLife } from './engine-life.ts';
import { LiveEngine } from './live.ts';

describe('an engine with its sockets', () => {
  let live: LiveEngine;
  beforeAll(async () => {
    live = await LiveEngine.start();
  });
  afterAll(() => live.close());

  it('answers a good client whatever others send', async () => {
    await live.fuzz(1, 1_000);
    expect(live.stats.malformed).toBeGreaterThan(100);
  });

  it('takes a stream that is cut anywhere', async () => {
    expect(await live.split(9)).toBeGreaterThan(50);
  });
});

it('an engine keeps nothing of what it was sent once its timers have run out', () => {
  engineLife(1, 8_000);
});
