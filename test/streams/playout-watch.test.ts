import { expect, test } from 'vitest';
import { PlayoutWatch } from '../../src/streams/playout-watch.ts';

/** Audio in real time from a moment on. @returns the marks that follow it, by when they are sent */
function send(watch: PlayoutWatch, from: number, ms: number): Map<number, string> {
  const marks = new Map<number, string>();
  for (let at = from; at < from + ms; at += 20) {
    const mark = watch.sent(20, at);
    if (mark !== undefined) marks.set(at, mark);
  }
  return marks;
}

test('a mark follows every second of audio', () => {
  const marks = send(new PlayoutWatch(), 0, 5000);
  expect([...marks]).toEqual([
    [980, '1'],
    [1980, '2'],
    [2980, '3'],
    [3980, '4'],
    [4980, '5'],
  ]);
});

test('marks that come back in time say that all is well, the one that is late that it is not', () => {
  const watch = new PlayoutWatch();
  send(watch, 0, 5000);
  expect(watch.reached('1', 1500)).toBe(false);
  expect(watch.reached('2', 3979)).toBe(false);
  expect(watch.reached('3', 4980)).toBe(true);
});

test('those that come back because all was dropped, or that nobody sent, say nothing', () => {
  const watch = new PlayoutWatch();
  send(watch, 0, 3000);
  expect(watch.reached('1', 3000)).toBe(true);
  expect(['2', '3', '1', 'x'].map((name) => watch.reached(name, 60_000))).toEqual([
    false,
    false,
    false,
    false,
  ]);
  send(watch, 3000, 1000);
  expect(watch.reached('4', 4000)).toBe(false);
});

test('a carrier that sends none back is left alone', () => {
  const watch = new PlayoutWatch();
  expect(send(watch, 0, 3_600_000).size).toBe(3600);
  // Of the last minute it still could.
  expect([watch.reached('3540', 3_600_000), watch.reached('3541', 3_600_000)]).toEqual([false, true]);
});
