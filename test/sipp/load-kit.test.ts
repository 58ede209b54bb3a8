import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { acme, TestGateway } from '../support/gateway.ts';
import { sippAvailable } from '../support/sipp.ts';

const sipp = sippAvailable();
const root = join(import.meta.dirname, '../..');

/** `npm run load -- kit`, as it is typed. */
async function kit(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [join(root, 'test/load/run.ts'), 'kit', ...args], { cwd: root });
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].on('data', (data: Buffer) => {
      output[stream] += data;
    });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...output };
}

/** A cell of a table of two columns. */
const cell = (text: string, name: string): string | undefined =>
  text
    .split('\n')
    .map((line) => line.split('|').map((one) => one.trim()))
    .find(([, first]) => first === name)?.[2];

test('the load kit calls no other machine unless it is told to, and nobody without a name', async () => {
  const elsewhere = await kit('--target', '192.0.2.1:5060', '--to', 'test');
  expect(elsewhere).toMatchObject({ code: 1, stdout: '' });
  expect(elsewhere.stderr).toContain('192.0.2.1 (192.0.2.1) is not this machine');
  const nobody = await kit('--target', '127.0.0.1:5060');
  expect(nobody).toMatchObject({ code: 1, stdout: '' });
  expect(nobody.stderr).toContain('who is called?');
});

describe.skipIf(!sipp.available)(`the load kit, by SIPp (${sipp.reason})`, () => {
  let gateway: TestGateway;
  const [key = ''] = acme.api_keys;
  beforeAll(async () => {
    // Calls have to give the password.
    const sip = { username: 'acme', password: 'acme-password', concurrency_limit: 500 };
    gateway = await TestGateway.start({ organizations: [{ ...acme, sip }] });
  });
  afterAll(() => gateway.stop());
  const call = (...more: string[]) =>
    kit('--target', gateway.sipAddress(), '--api', gateway.gateway.apiUrl, '--seconds', '1', ...more);

  test('makes sessions, calls them with speech, and tells what the gateway says of them', async () => {
    const password = ['--user', 'acme', '--password', 'acme-password'];
    const { code, stdout, stderr } = await call('--key', key, '--calls', '6', '--rate', '6', ...password);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stdout).toMatch(/\| 6 \| 6 \| 0 \|/);
    expect(cell(stdout, 'calls by their end')).toBe('hangup 6');
    expect(Number(cell(stdout, 'packets received'))).toBeGreaterThan(6 * 25);
    expect(cell(stdout, 'lost')).toBe('0');
    expect(cell(stdout, 'MOS, p1 / p50 / p99 of the calls')).toMatch(/^\d\.\d+ \/ /);
    expect(Number(cell(stdout, 'INVITEs {outcome="answered"}'))).toBe(6);
  });

  test('fails where calls do, and says why', async () => {
    const { code, stdout } = await call(
      '--to',
      'nobody',
      '--calls',
      '2',
      '--user',
      'acme',
      '--password',
      'wrong',
    );
    expect(code).toBe(1);
    expect(stdout).toMatch(/\| 2 \| 0 \| 2 \| FailedUnexpectedMessage 2 \|/);
    expect(Number(cell(stdout, 'refused {code="credentials_invalid"}'))).toBe(2);
  });
});
