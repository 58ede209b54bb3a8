import { Counter, collectDefaultMetrics, Gauge, Histogram, type Metric, Registry } from 'prom-client';
import { LatencyMetric } from './latency-metric.ts';
import { LoopDelay } from './loop-delay.ts';
import { type MetricRow, metricTable } from './metric-table.ts';

type Table = typeof metricTable;

/** The values of each label: one of the words in the table, or any text where it has none. */
type LabelValues<L> = { readonly [K in keyof L]: L[K] extends readonly (infer V)[] ? V : string };
type LabelArgument<L> = keyof L extends never ? [] : [labels: LabelValues<L>];
type OnlyLabel<L> = keyof L extends never ? '' : LabelValues<L>[keyof L] & string;

interface Kinds<L> {
  counter: { inc(...args: [...LabelArgument<L>, amount?: number]): void };
  gauge: { set(...args: [...LabelArgument<L>, value: number]): void };
  histogram: { observe(value: number): void };
  latency: LatencyMetric<OnlyLabel<L>>;
}

export type Metrics = { readonly [K in keyof Table]: Kinds<Table[K]['labels']>[Table[K]['kind']] } & {
  /** Called at each scrape, before it is answered: counters that live elsewhere are brought in here. */
  beforeScrape(collect: () => void | Promise<void>): void;
  /** The Prometheus text format. */
  scrape(): Promise<string>;
  close(): void;
};

/** All metrics of `metric-table.ts`, and those of the process and of Node (`process_`, `nodejs_`). */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const entries = Object.entries<MetricRow>(metricTable).map(
    ([key, row]) => [key, create(`kallglot_${key}`, row, registry)] as const,
  );
  const metrics = Object.fromEntries(entries) as unknown as Metrics;
  const collectors: (() => void | Promise<void>)[] = [];
  const loop = new LoopDelay((seconds) => metrics.event_loop_delay_seconds.observe(seconds));
  return {
    ...metrics,
    beforeScrape: (collect) => collectors.push(collect),
    scrape: async () => {
      // What cannot be asked now, such as an engine that is being started again, costs its own series only.
      await Promise.allSettled(collectors.map(async (collect) => collect()));
      return registry.metrics();
    },
    close: () => {
      loop.close();
      registry.clear();
    },
  };
}

function create(name: string, { kind, help, labels, buckets }: MetricRow, registry: Registry): object {
  const options = { name, help, labelNames: Object.keys(labels), registers: [registry] };
  if (kind === 'counter') {
    const counter = new Counter(options);
    // A series that begins at 1 has no increase that an alert could see.
    for (const one of combinations(labels)) counter.inc(one, 0);
    return counter;
  }
  if (kind === 'gauge') return new Gauge(options);
  if (kind === 'histogram') return new Histogram({ ...options, buckets: [...(buckets ?? [])] });
  const [label, values] = Object.entries(labels)[0] ?? [];
  const metric = new LatencyMetric(name, help, label, Array.isArray(values) ? values : ['']);
  // All that the registry does with a metric is to ask it for its values.
  registry.registerMetric(metric as unknown as Metric);
  return metric;
}

/** Every series of a metric, as far as its labels are fixed words. */
function combinations(labels: MetricRow['labels']): Record<string, string>[] {
  return Object.entries(labels).reduce<Record<string, string>[]>(
    (series, [label, values]) =>
      typeof values === 'string'
        ? []
        : series.flatMap((one) => values.map((value) => ({ ...one, [label]: value }))),
    [{}],
  );
}
