import { expect, test } from 'vitest';
import { type MetricRow, metricTable } from '../../src/telemetry/metric-table.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';

const rows = Object.entries<MetricRow>(metricTable);

function labelsOf({ labels }: MetricRow): string {
  const each = Object.entries(labels).map(([label, values]) =>
    typeof values === 'string'
      ? `\`${label}\`: ${values}`
      : `\`${label}\`: ${values.map((value) => `\`${value}\``).join(', ')}`,
  );
  return each.join('; ');
}

const document = `# Metrics

\`GET /metrics\` answers in Prometheus' text format. A process tells of itself alone. Labels have the values below and no others,
whatever comes by the network. Counters begin at 0 when the process starts; gauges are of the moment of the scrape. The metrics
of the process and of Node (\`process_…\`, \`nodejs_…\`) come beside these.

This page is made from \`src/telemetry/metric-table.ts\`: change that, and run the tests of \`test/telemetry\` with \`-u\`.

| metric | kind | what it tells | labels |
| --- | --- | --- | --- |
${rows
  .map(
    ([name, row]) =>
      `| \`kallglot_${name}\` | ${row.kind === 'latency' ? 'histogram' : row.kind} | ${row.help} | ${labelsOf(row)} |`,
  )
  .join('\n')}
`;

test('docker/prometheus/metrics.md tells of every metric, its kind and its labels as they are', async () => {
  await expect(document).toMatchFileSnapshot('../../docker/prometheus/metrics.md');
});

test('names follow the conventions of Prometheus', () => {
  const oddUnits = rows.filter(([name, { kind }]) => name.endsWith('_total') !== (kind === 'counter'));
  expect(oddUnits).toEqual([]);
  for (const [name, { help }] of rows) {
    expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
    expect(help).not.toBe('');
  }
});

test('a counter whose labels are fixed words has all its series from the start, at 0', async () => {
  const metrics = createMetrics();
  try {
    const text = await metrics.scrape();
    for (const [name, { kind, labels }] of rows) {
      const values = Object.values(labels);
      if (kind !== 'counter' || values.some((one) => typeof one === 'string')) continue;
      const series = text.split('\n').filter((line) => new RegExp(`^kallglot_${name}[{ ]`).test(line));
      expect(series).toHaveLength(values.reduce((product, one) => product * one.length, 1));
      for (const line of series) expect(line).toMatch(/ 0$/);
    }
  } finally {
    metrics.close();
  }
});

test('a main thread that is busy shows in its delay', async () => {
  const metrics = createMetrics();
  try {
    await new Promise((resolve) => setTimeout(resolve, 40));
    const busyUntil = performance.now() + 300;
    while (performance.now() < busyUntil);
    await new Promise((resolve) => setTimeout(resolve, 40));
    const text = await metrics.scrape();
    const upTo = (le: string) =>
      Number(new RegExp(`event_loop_delay_seconds_bucket\\{le="${le}"\\} (\\d+)`).exec(text)?.[1]);
    expect(upTo('\\+Inf')).toBeGreaterThan(upTo('0.2'));
  } finally {
    metrics.close();
  }
});
