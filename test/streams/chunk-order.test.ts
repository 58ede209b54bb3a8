import { describe, expect, test } from 'vitest';
import { ChunkOrder } from '../../src/streams/chunk-order.ts';

/** Chunks that are named by a byte, in the order in which they come. @returns what is said, and what is dropped */
function run(numbers: 'gapless' | 'rising', came: readonly number[]): { said: number[]; dropped: number[] } {
  const order = new ChunkOrder(numbers);
  const said: number[] = [];
  // The buffer that a message was decoded into is used again for the next.
  const shared = Buffer.alloc(1);
  const dropped = came.filter((number) => {
    shared[0] = number % 256;
    return !order.take(number, shared, (audio) => said.push(audio[0] as number));
  });
  return { said, dropped };
}

describe('numbers without gaps', () => {
  test.each([
    ['as they come', [1, 2, 3], [1, 2, 3], []],
    ['beginning anywhere', [7, 8], [7, 8], []],
    ['one early', [1, 3, 2, 4], [1, 2, 3, 4], []],
    ['turned round', [1, 5, 4, 3, 2, 6], [1, 2, 3, 4, 5, 6], []],
    ['twice', [1, 2, 2, 1, 3], [1, 2, 3], [2, 1]],
    ['twice while it waits', [1, 3, 3, 2], [1, 2, 3], [3]],
    ['one missing for good', [1, 3, 4, 5, 6, 7, 8, 9], [1, 3, 4, 5, 6, 7, 8, 9], []],
    ['one far too late', [1, 3, 4, 5, 6, 7, 8, 2, 9], [1, 3, 4, 5, 6, 7, 8, 9], [2]],
    ['counted anew', [100, 101, 103, 1, 2], [100, 101, 103, 1, 2], []],
  ])('%s', (_what, came, said, dropped) => {
    expect(run('gapless', came)).toEqual({ said, dropped });
  });
});

describe('numbers that only rise', () => {
  test.each([
    ['with gaps, and nothing waits', [1, 3, 9, 10], [1, 3, 9, 10], []],
    ['back a little', [5, 6, 4, 7], [5, 6, 7], [4]],
    ['counted anew', [100, 1, 2], [100, 1, 2], []],
  ])('%s', (_what, came, said, dropped) => {
    expect(run('rising', came)).toEqual({ said, dropped });
  });
});

test('chunks without numbers are said as they come', () => {
  const order = new ChunkOrder('gapless');
  const said: string[] = [];
  for (const text of ['a', 'b']) order.take(undefined, Buffer.from(text), (audio) => said.push(`${audio}`));
  expect(said).toEqual(['a', 'b']);
});
