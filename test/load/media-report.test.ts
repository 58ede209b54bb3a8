import { expect, test } from 'vitest';
import { type Figures, medianOf } from './media-figures.ts';
import { costTable, mediaAims } from './media-report.ts';

/** A run in which every figure is 1, but for those that are named. */
const runWith = (figures: Partial<Figures>): Figures =>
  new Proxy(figures, { get: (target, name) => target[name as keyof Figures] ?? 1 }) as Figures;

/** The cells of the only row, by the head of their column. */
function rowOf(text: string): Record<string, string> {
  const [head = [], , cells = []] = text
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()));
  return Object.fromEntries(head.map((name, i) => [name, cells[i] ?? '']));
}

test('each figure has its own median, whichever run it is from', () => {
  const runs = [
    { cpu: 900, jitterP99: 2 },
    { cpu: 100, jitterP99: 9 },
    { cpu: 300, jitterP99: 4 },
  ].map(runWith);
  expect(medianOf(runs)).toMatchObject({ cpu: 300, jitterP99: 4, late30: 1 });
  expect(medianOf(runs.slice(0, 2))).toMatchObject({ cpu: 500, jitterP99: 5.5 });
});

test('the median is of the runs that have the figure, and one beyond all buckets is the largest', () => {
  const runs = [{ toP99: Number.NaN }, { toP99: Number.POSITIVE_INFINITY }, { toP99: 3 }, { toP99: 5 }].map(
    runWith,
  );
  expect(medianOf(runs).toP99).toBe(5);
  expect(medianOf(runs.slice(0, 1)).toP99).toBeNaN();
});

test('a row says how many of the calls that were wanted are held, and the worst of its runs', () => {
  const runs = [
    { held: 1000, lost: 0 },
    { held: 996, lost: 0 },
    { held: 1000, lost: 12 },
  ].map(runWith);
  const row = rowOf(costTable([{ media: 'PCMU', calls: 1000, runs }]));
  expect(row).toMatchObject({
    'calls held': '1000 (at least 996) of 1000, G.711',
    runs: '3',
    lost: '0 (at most 12)',
  });
});

test('a loss in one run of many is an aim not met', () => {
  const aimsAt = (runs: Figures[]) => mediaAims([{ media: 'PCMU', calls: 1000, runs }]);
  const clean = runWith({ held: 1000, lost: 0 });
  expect(aimsAt([clean, clean, clean])).toContain('- no packet lost: met');
  expect(aimsAt([clean, runWith({ held: 1000 }), clean])).toContain('- no packet lost: not met');
  expect(aimsAt([clean, runWith({ held: 999 }), clean])).toContain('- all calls held: not met');
});
