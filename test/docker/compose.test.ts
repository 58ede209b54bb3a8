import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { configSchema, loadConfig } from '../../src/config/config.ts';
import { schemaAt } from '../../src/config/environment.ts';
import { type MetricRow, metricTable } from '../../src/telemetry/metric-table.ts';
import { dockerfileStages, execForm, imageSays } from '../support/dockerfile.ts';

const root = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

interface Service {
  image: string;
  network_mode: string;
  read_only: boolean;
  cap_drop: string[];
  security_opt: string[];
  user?: string;
  build?: unknown;
  /** null: given on where `.env` has it. */
  environment?: Record<string, string | null>;
  stop_grace_period?: string;
  volumes?: string[];
  healthcheck?: { test: string[] };
  depends_on?: Record<string, { condition: string }>;
}
const compose = parse(read('docker-compose.yml'), { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, null>;
};
const services = Object.entries(compose.services);
const gateway = compose.services.gateway as Service;
/** Variables that have to be set, as `docker-compose.yml` names them. */
const required = [...read('docker-compose.yml').matchAll(/\$\{(\w+):\?\1 is not set in \.env\}/g)].map(
  ([, name]) => name as string,
);
/** Variables of the gateway that are set where `.env` has them. */
const givenOn = Object.entries(gateway.environment ?? {}).flatMap(([name, value]) => (value ? [] : [name]));

describe('the image', () => {
  test('runs node itself, not as root, from packages of production alone', () => {
    expect(execForm(imageSays('CMD')[0] ?? '')).toEqual([
      'node',
      '--max-semi-space-size=8',
      'src/main.ts',
      '--config',
      'config/gateway.yaml',
    ]);
    expect(imageSays('USER')).toEqual(['node']);
    expect(dockerfileStages().map((stage) => stage[0]?.value)).toEqual([
      'node:26-slim AS packages',
      'node:26-slim',
    ]);
    expect(dockerfileStages()[0]?.at(-1)?.value).toContain('npm ci --omit=dev --omit=optional');
  });

  test('is given no more than it is made of', () => {
    const allowed = read('.dockerignore').trim().split('\n');
    const copied = dockerfileStages()
      .flat()
      .filter(({ instruction, value }) => instruction === 'COPY' && !value.startsWith('--from'))
      .flatMap(({ value }) => value.split(' ').slice(0, -1));
    expect(allowed[0]).toBe('*');
    expect(allowed.slice(1).map((line) => line.slice(1))).toEqual([...new Set(copied)].sort());
  });
});

describe('docker-compose.yml', () => {
  test.each(services)('%s is pinned, and can do no more than it needs', (_name, service) => {
    if (service.build === undefined) expect(service.image).toMatch(/^[\w./-]+:v?\d+(\.\d+)+$/);
    expect(service).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      network_mode: 'host',
    });
    if (service.build === undefined) expect(service.user).toMatch(/^(postgres|[1-9]\d*:\d+)$/);
    expect(service.healthcheck?.test[0] ?? imageSays('HEALTHCHECK').length).toBeTruthy();
    for (const volume of service.volumes ?? []) {
      const [source = '', , mode] = volume.split(':');
      if (source.startsWith('.')) expect([mode, existsSync(join(root, source))]).toEqual(['ro', true]);
      else expect(compose.volumes).toHaveProperty(source);
    }
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      expect(condition).toBe('service_healthy');
      expect(compose.services).toHaveProperty(other);
    }
  });

  test('has no secret in it, and .env.example names every variable', () => {
    const named = [...read('.env.example').matchAll(/^(\w+)=$/gm)].map(([, name]) => name);
    expect(named.sort()).toEqual([...new Set(required)].sort());
    const secrets = services.flatMap(([, { environment = {} }]) =>
      Object.entries(environment).filter(([key, value]) => value && /SECRET|PASSWORD|KEY/.test(key)),
    );
    expect(secrets.length).toBeGreaterThan(5);
    for (const [, value] of secrets) expect(value).toMatch(/^\$\{\w+:(\?|-\})/);
    for (const name of givenOn) expect(read('.env.example')).toContain(`# ${name}=\n`);
  });

  test('gives the gateway settings that it takes', () => {
    const sample: Record<string, string> = {
      KALLGLOT_TELEPHONY__TELNYX_PUBLIC_KEY: `${'A'.repeat(43)}=`,
      KALLGLOT_DOMAIN: 'sip.example.com',
      KALLGLOT_PUBLIC_ADDRESS: '203.0.113.7',
      KALLGLOT_API_URL: 'https://api.example.com',
      KALLGLOT_PIPELINE_URL: 'wss://pipeline.example.com/{session_id}?token={token}',
    };
    const fill = (value: string) =>
      value.replace(/\$\{(\w+):\?.*\}/, (_all, name: string) => sample[name] ?? 'a-long-random-text');
    const environment = Object.fromEntries(
      Object.entries(gateway.environment ?? {}).map(([key, value]) => [key, fill(value ?? `\${${key}:?}`)]),
    );
    const config = loadConfig(join(root, 'docker/gateway.yaml'), environment);
    expect(config.sip).toMatchObject({
      engine: 'drachtio',
      domains: ['sip.example.com'],
      drachtio: [{ host: '127.0.0.1', port: 9022, secret: 'a-long-random-text' }],
    });
    for (const key of Object.keys(environment).filter((one) => one.startsWith('KALLGLOT_')))
      expect(schemaAt(configSchema, key.slice(9).toLowerCase().split('__'))).toBeDefined();
  });

  test('lets calls end before it kills the gateway', () => {
    const drainSeconds = loadConfig(join(root, 'docker/gateway.yaml'), {}).shutdown.drain_seconds;
    expect(Number.parseInt(gateway.stop_grace_period ?? '', 10)).toBeGreaterThanOrEqual(drainSeconds + 15);
  });

  test('and drachtio-server agree on ports', () => {
    const drachtio = read('docker/drachtio.conf.xml');
    expect(drachtio).toContain('<admin port="9022">127.0.0.1</admin>');
    expect(drachtio).not.toContain('secret=');
    const { scrape_configs } = parse(read('docker/prometheus/prometheus.yml'));
    const targets = scrape_configs.flatMap((one: { static_configs: { targets: string[] }[] }) =>
      one.static_configs.flatMap((each) => each.targets),
    );
    expect(targets).toEqual(['127.0.0.1:8080', '127.0.0.1:9023']);
    expect(drachtio).toContain('<prometheus port="9023">127.0.0.1</prometheus>');
  });

  test.skipIf(!has('docker-compose'))('is taken by docker compose, and not without its variables', () => {
    const folder = mkdtempSync(join(tmpdir(), 'compose-'));
    const file = join(folder, 'env');
    const run = (content: string) => {
      writeFileSync(file, content);
      const args = [
        '--project-directory',
        root,
        '-f',
        join(root, 'docker-compose.yml'),
        '--env-file',
        file,
        'config',
      ];
      return spawnSync('docker-compose', args, { encoding: 'utf8', env: { PATH: process.env.PATH } });
    };
    const all = required.map((name) => `${name}=x\n`).join('');
    const [good, bad] = [run(all), run(all.replace(/^POSTGRES_PASSWORD=.*\n/gm, ''))];
    const carriers = run(`${all}KALLGLOT_TELEPHONY__TWILIO_AUTH_TOKEN=its-token\n`);
    rmSync(folder, { recursive: true });
    expect([good.status, good.stderr]).toEqual([0, '']);
    expect(carriers.stdout).toContain('KALLGLOT_TELEPHONY__TWILIO_AUTH_TOKEN: its-token');
    expect(bad.status).not.toBe(0);
    expect(bad.stderr).toContain('POSTGRES_PASSWORD is not set in .env');
  });
});

describe('what is watched', () => {
  const rules: { alert: string; expr: string }[] = parse(read('docker/prometheus/alerts.yml')).groups.flatMap(
    (group: { rules: unknown[] }) => group.rules,
  );
  const dashboard: { panels: { targets: { expr: string }[] }[] } = JSON.parse(
    read('docker/grafana/dashboards/kallglot.json'),
  );
  const expressions = [
    ...rules.map(({ alert, expr }) => [alert, expr]),
    ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => ['dashboard', expr])),
  ] as [string, string][];

  test.each(expressions)('%s asks for metrics and labels that there are: %s', (_where, expr) => {
    for (const [, name = '', selector = ''] of expr.matchAll(/kallglot_(\w+)(?:\{([^}]*)\})?/g)) {
      const rows: Record<string, MetricRow> = metricTable;
      const row = rows[name] ?? rows[name.replace(/_(bucket|count|sum)$/, '')];
      expect(row, name).toBeDefined();
      for (const [, label = '', values = ''] of selector.matchAll(/(\w+)=~?"([^"]*)"/g)) {
        if (label === 'le') continue;
        const known = row?.labels[label];
        expect(known, label).toBeDefined();
        if (Array.isArray(known)) for (const value of values.split('|')) expect(known).toContain(value);
      }
    }
  });

  test.skipIf(!has('promtool'))('Prometheus takes its configuration and the rules', () => {
    const file = join(root, 'docker/prometheus/prometheus.yml');
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'config', file], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toContain(`${rules.length} rules found`);
  });
});

function has(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
}
