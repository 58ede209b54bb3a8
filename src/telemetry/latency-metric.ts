import { endOfBucket, forEachGrown, type LatencyCounts } from './latency-histogram.ts';

/** Buckets that are shown, each with all below it: every second one from 0.5 to 64 ms, and every eighth to 1 s. */
const shown = [...numbers(16, 72, 2), ...numbers(80, 104, 8)];
const ends = shown.map(endOfBucket);
const labels = ends.map((ms) => Number((ms / 1000).toPrecision(3)));

function numbers(from: number, to: number, step: number): number[] {
  return Array.from({ length: (to - from) / step + 1 }, (_, i) => from + i * step);
}

interface Series {
  readonly buckets: number[];
  sum: number;
  count: number;
}

/**
 * A Prometheus histogram, one series per value of its label, that takes counts of many at once: prom-client's own takes one value
 * at a time, and there are ten a second and call. It has what prom-client's registry asks of a metric.
 */
export class LatencyMetric<Value extends string> {
  readonly name: string;
  readonly #help: string;
  readonly #label: string | undefined;
  readonly #series: ReadonlyMap<Value, Series>;

  /** @param label undefined: it has none, and its only value is the empty one */
  constructor(name: string, help: string, label: string | undefined, values: readonly Value[]) {
    this.name = name;
    this.#help = help;
    this.#label = label;
    this.#series = new Map(values.map((value) => [value, { buckets: ends.map(() => 0), sum: 0, count: 0 }]));
  }

  /** Adds what has been counted since `before`. */
  add(value: Value, counts: LatencyCounts, before: LatencyCounts | undefined): void {
    const series = this.#series.get(value) as Series;
    forEachGrown(counts, before, (ms, count) => {
      series.sum += (ms / 1000) * count;
      series.count += count;
      ends.forEach((end, i) => {
        if (ms <= end) series.buckets[i] = (series.buckets[i] as number) + count;
      });
    });
  }

  async get() {
    const label = this.#label;
    const values = [...this.#series].flatMap(([of, { buckets, sum, count }]) => {
      const value = (part: string, amount: number, le?: number | string) => ({
        metricName: `${this.name}_${part}`,
        labels: { ...(le !== undefined && { le }), ...(label !== undefined && { [label]: of }) },
        value: amount,
      });
      return [
        ...buckets.map((amount, i) => value('bucket', amount, labels[i])),
        value('bucket', count, '+Inf'),
        value('sum', sum),
        value('count', count),
      ];
    });
    return { name: this.name, help: this.#help, type: 'histogram', values, aggregator: 'sum' };
  }
}
