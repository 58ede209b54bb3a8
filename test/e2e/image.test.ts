import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { execForm, imageSays } from '../support/dockerfile.ts';
import { acme, eventually } from '../support/gateway.ts';
import { freeTcpPort } from '../support/port-pair.ts';
import { postgresPrograms, TestPostgres } from '../support/postgres.ts';
import { TestPhone } from '../support/test-phone.ts';

const root = join(import.meta.dirname, '../..');
const NOBODY = 65_534;
const canTry =
  process.getuid?.() === 0 &&
  spawnSync('setpriv', ['--version'], { stdio: 'ignore' }).status === 0 &&
  postgresPrograms() !== undefined;

/** The files of the image, in a folder that belongs to root: what `COPY` says, and the packages of production. */
function unpackImage(): string {
  const app = mkdtempSync(join(tmpdir(), 'image-'));
  chmodSync(app, 0o755);
  for (const copy of imageSays('COPY').filter((one) => !one.startsWith('--from')))
    for (const path of copy.split(' ').slice(0, -1))
      cpSync(join(root, path), join(app, path), { recursive: true });
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; optional?: boolean; devOptional?: boolean }>;
  };
  for (const [path, { dev, optional, devOptional }] of Object.entries(packages)) {
    if (path === '' || dev || optional || devOptional) continue;
    cpSync(join(root, path), join(app, path), {
      recursive: true,
      filter: (file) => !isNested(file, join(root, path)),
    });
  }
  // The image's own; ours may lie where nobody else may look.
  copyFileSync(process.execPath, join(app, 'node'));
  return app;
}

/** Packages within a package have entries of their own. */
const isNested = (file: string, of: string): boolean => file === join(of, 'node_modules');

describe.skipIf(!canTry)(
  'what the image runs, as nobody, with no file that it may write, on PostgreSQL',
  () => {
    let app: string;
    let postgres: TestPostgres;
    let port: number;
    let gateway: ChildProcess;
    let said = '';

    /** A command of the image, as its user would run it. */
    const asNobody = ([program = '', ...args]: string[]): [string, string[]] => [
      'setpriv',
      [
        ...[
          `--reuid=${NOBODY}`,
          `--regid=${NOBODY}`,
          '--clear-groups',
          '--bounding-set=-all',
          '--no-new-privs',
        ],
        ...[program === 'node' ? join(app, 'node') : program, ...args],
      ],
    ];

    beforeAll(async () => {
      app = unpackImage();
      postgres = await TestPostgres.start();
      port = await freeTcpPort();
      const [command, args] = asNobody(execForm(imageSays('CMD')[0] ?? ''));
      gateway = spawn(command, args, {
        cwd: app,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          NODE_ENV: 'production',
          KALLGLOT_API__LISTEN: `127.0.0.1:${port}`,
          KALLGLOT_SIP__LISTEN: 'udp:127.0.0.1:0',
          KALLGLOT_MEDIA__ADDRESS: '127.0.0.1',
          KALLGLOT_MEDIA__PORTS: '25300-25399',
          KALLGLOT_STORE__URL: await postgres.createDatabase(),
          KALLGLOT_ORGANIZATIONS: JSON.stringify([{ ...acme, sip: { ...acme.sip, inbound_first: true } }]),
        },
      });
      for (const stream of [gateway.stdout, gateway.stderr])
        stream?.on('data', (data: Buffer) => {
          said += data;
        });
      await eventually(
        'the gateway takes calls',
        () => {
          if (gateway.exitCode !== null) throw new Error(said);
          return said.includes('the gateway takes calls');
        },
        25_000,
      );
    }, 120_000);
    afterAll(async () => {
      if (gateway?.exitCode === null) gateway.kill('SIGKILL');
      await postgres?.close();
      rmSync(app, { recursive: true, force: true });
    });

    /** HEALTHCHECK, at the port of this test. @returns its exit code */
    const health = () => {
      const [command, args] = asNobody(
        execForm(imageSays('HEALTHCHECK')[0] ?? '').map((part) =>
          part.replace('127.0.0.1:8080', `127.0.0.1:${port}`),
        ),
      );
      return spawnSync(command, args, { cwd: app, env: {} }).status;
    };

    test('takes a call, is healthy, and ends by SIGTERM', async () => {
      expect(readFileSync(`/proc/${gateway.pid}/status`, 'utf8')).toMatch(/^Uid:\s+65534\s+65534/m);
      expect(() =>
        execFileSync(...asNobody(['touch', join(app, 'src', 'x')]), { stdio: 'ignore' }),
      ).toThrow();
      const udp = /"udp\/([\d.:]+)"/.exec(said)?.[1];
      const phone = await new TestPhone().start();
      const call = await phone.call(`sip:100@${udp}`);
      expect(call.status).toBe(200);
      await call.bye();
      await phone.stop();
      expect(health()).toBe(0);
      gateway.kill('SIGTERM');
      const [code] = await once(gateway, 'exit');
      expect(code).toBe(0);
      expect(health()).toBe(1);
    });
  },
);
