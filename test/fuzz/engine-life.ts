import assert from 'node:assert/strict';
import { EngineHarness } from '../support/engine-harness.ts';
import { heapMb } from './heap.ts';
import { randomFrom } from './random.ts';
import { sipMutant } from './sip-mutants.ts';

const ROUNDS = 4;
/** MB that the heap may be larger at the end than after the first round. */
const MAX_GROWTH_MB = 4;

/**
 * Gives one engine mutants over rounds, each of which ends when all timers have run out: nothing may be left then, and the
 * heap must not grow from round to round.
 * @returns MB of heap after each round
 */
export function engineLife(seed: number, count: number): number[] {
  const random = randomFrom(seed);
  const harness = new EngineHarness();
  const app = harness.app('invite', 'register', 'options', 'message', 'bye', 'update', 'info', 'prack');
  const peer = harness.peer();
  const heaps: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < count / ROUNDS; i++) {
      harness.receive(sipMutant(random), peer);
      if (i % 3 === 0 && app.events.length > 0) app.respond(app.transactionId, '200 OK');
      peer.raw.length = 0;
      app.frames.length = 0;
    }
    harness.clock.advance(600_000);
    peer.raw.length = 0;
    app.frames.length = 0;
    harness.opened.length = 0;
    harness.hops.length = 0;
    const { serverTransactions, clientTransactions, pendingInvites, dialogs } = harness.core.stats;
    assert.deepEqual([serverTransactions, clientTransactions, pendingInvites, dialogs], [0, 0, 0, 0]);
    heaps.push(heapMb());
  }
  const growth = heaps.at(-1)! - heaps[0]!;
  assert(
    growth < MAX_GROWTH_MB,
    `the heap grew by ${growth.toFixed(1)} MB: ${heaps.map((mb) => mb.toFixed(1))}`,
  );
  harness.core.close();
  return heaps;
}
