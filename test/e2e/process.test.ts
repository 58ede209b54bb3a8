import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { afterEach, describe, expect, test } from 'vitest';
import { certificateFile, certificateOf, keyFile } from '../support/certificates.ts';
import { acme, eventually } from '../support/gateway.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { TestPhone } from '../support/test-phone.ts';

const root = join(import.meta.dirname, '../..');
const settings = {
  sip: { listen: ['udp:127.0.0.1:0', 'tcp:127.0.0.1:0'] },
  api: { listen: '127.0.0.1:0' },
  media: { address: '127.0.0.1', ports: '25200-25299' },
  organizations: [acme],
};

describe('the gateway as a process', () => {
  const running: { stop(): Promise<unknown> }[] = [];
  afterEach(async () => {
    for (const one of running.splice(0).reverse()) await one.stop();
  });

  function start(by: 'npm' | 'node', more: Record<string, unknown> = {}): GatewayProcess {
    const made = GatewayProcess.start({ by, settings: { ...settings, ...more } });
    running.push(made);
    return made;
  }

  async function callTo({ api, sip }: { api: string; sip: string[] }) {
    const response = await fetch(`${api}/v1/sessions`, {
      method: 'POST',
      headers: { 'X-API-Key': acme.api_keys[0] as string, 'Content-Type': 'application/json' },
      body: JSON.stringify({ mode: 'bidirectional_translation', routing: { type: 'sip' } }),
    });
    const { id } = (await response.json()) as { id: string };
    const phone = await new TestPhone().start();
    running.push(phone);
    return phone.call(`sip:${id}@${sip[0]?.slice('udp/'.length)}`);
  }

  /** A folder with the files of a certificate, which a test may change. */
  function certificateFolder() {
    const folder = mkdtempSync(join(tmpdir(), 'process-tls-'));
    running.push({ stop: async () => rmSync(folder, { recursive: true }) });
    const [certificate, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    copyFileSync(certificateFile('server'), certificate);
    copyFileSync(keyFile('server'), key);
    const sip = { listen: ['udp:127.0.0.1:0', 'tls:127.0.0.1:0'], tls: { certificate, key } };
    return { certificate, key, sip };
  }

  test('SIGTERM to npm alone hangs up the calls and ends it within 10 s, with its ports free again', async () => {
    const gateway = start('npm');
    const where = await gateway.ready();
    const call = await callTo(where);
    expect(call.status).toBe(200);
    const stoppedAt = performance.now();
    gateway.child.kill('SIGTERM');
    expect((await call.ended).reasonHeader).toMatch(/text="drained: /);
    await gateway.exited;
    await eventually('the API is gone', () =>
      fetch(`${where.api}/healthz`).then(
        () => false,
        () => true,
      ),
    );
    expect(performance.now() - stoppedAt).toBeLessThan(10_000);
    const again = start('node', { sip: { listen: where.sip.map((hostport) => hostport.replace('/', ':')) } });
    expect((await again.ready()).sip).toEqual(where.sip);
  });

  test('writes one line of its record for a call, with its session and its end', async () => {
    const gateway = start('node');
    const call = await callTo(await gateway.ready());
    await call.bye();
    await eventually('the record is in the log', () => gateway.stdout.includes('"call record"'));
    const lines = gateway.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const [record, ...more] = lines.filter((line) => line.msg === 'call record');
    expect(more).toEqual([]);
    expect(record).toMatchObject({ record: { reason: 'hangup', codec: 'PCMU', role: 'customer' } });
    expect(gateway.stdout).not.toContain('acme-password');
  });

  test('a wrong setting ends it at once, with its path, what was found and what is allowed', async () => {
    const gateway = start('node', { media: { ports: 'many' } });
    expect((await gateway.exited).code).toBe(1);
    expect(gateway.stderr).toContain('media.ports: found "many"; allowed: FIRST-LAST');
  });

  test('a port that is taken ends it at once with a message that names it', async () => {
    const first = await start('node').ready();
    const second = start('node', { sip: { listen: [first.sip[0]?.replace('/', ':')] } });
    expect((await second.exited).code).toBe(1);
    expect(second.stderr).toContain(first.sip[0]?.slice('udp/127.0.0.1:'.length));
    expect(second.stderr).toContain('the gateway cannot start: SIP cannot listen on ');
    expect(second.stderr).not.toContain('    at ');
  });

  test('an option that there is not ends it with those that there are', async () => {
    const child = spawn(process.execPath, [join(root, 'src/main.ts'), '--help']);
    const [said, [code]] = await Promise.all([textOf(child.stderr), once(child, 'exit')]);
    expect(code).toBe(1);
    expect(said).toContain("found Unknown option '--help'; allowed: --config FILE");
    expect(said).not.toContain('    at ');
  });

  test('SIGHUP reads its certificate again, and says what came of it; calls go on', async () => {
    const { certificate, sip } = certificateFolder();
    const gateway = start('node', { sip });
    const call = await callTo(await gateway.ready());
    const told = (words: string) => gateway.stdout.split(words).length - 1;
    const inUse = told('the TLS certificate is in use');
    gateway.child.kill('SIGHUP');
    await eventually('it is read', () => told('the TLS certificate is in use') === inUse + 1);
    writeFileSync(certificate, 'half of a certificate');
    await eventually('the change is seen', () => told('cannot be used; the old one stays') === 1);
    gateway.child.kill('SIGHUP');
    await eventually('it is read', () => told('cannot be used; the old one stays') === 2);
    expect(gateway.stdout).toContain(`sip.tls.certificate: ${certificate} holds no certificate in PEM form`);
    expect((await call.options()).status).toBe(200);
    expect((await call.bye()).status).toBe(200);
  });

  test('SIGHUP without a certificate changes nothing', async () => {
    const gateway = start('node');
    const where = await gateway.ready();
    gateway.child.kill('SIGHUP');
    await eventually('it is told', () =>
      gateway.stdout.includes('there is no TLS certificate to read again'),
    );
    const call = await callTo(where);
    expect((await call.bye()).status).toBe(200);
  });

  test.each<[string, 'certificate' | 'key', string | undefined, string]>([
    ['is not there', 'certificate', undefined, 'cannot be read: ENOENT'],
    ['is none', 'certificate', 'half of a certificate', 'holds no certificate in PEM form'],
    [
      'is broken',
      'certificate',
      certificateOf('server').replace(/\n[^\n]{64}/, '\n'),
      'holds no good certificate',
    ],
    ['is that of another', 'key', readFileSync(keyFile('renewed'), 'utf8'), 'is not the key of'],
    ['is none', 'key', 'half of a key', 'is not the key of'],
  ])('a certificate file that %s (%s) ends it at once and is named', async (_what, which, text, why) => {
    const files = certificateFolder();
    if (text === undefined) rmSync(files[which]);
    else writeFileSync(files[which], text);
    const gateway = start('node', { sip: files.sip });
    expect((await gateway.exited).code).toBe(1);
    expect(gateway.stderr).toContain(`sip.tls.${which}: ${files[which]} ${why}`);
  });

  test('npm run demo -- --once places a call, hears its speech back, and ends with 0', {
    timeout: 120_000,
  }, async () => {
    const demo = spawn('npm', ['run', 'demo', '--', '--once'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    demo.stdout.on('data', (data: Buffer) => {
      said += data;
    });
    const [code] = await once(demo, 'close');
    expect(said).toMatch(/answered after \d+ ms with PCMU/);
    expect(code).toBe(0);
  });

  test('npm run demo -- --pipeline openai says that it has no key, and ends with 2', async () => {
    const { OPENAI_API_KEY: _none, ...env } = process.env;
    const demo = spawn('npm', ['run', 'demo', '--', '--pipeline', 'openai'], {
      cwd: root,
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const said = textOf(demo.stdout);
    expect((await once(demo, 'close'))[0]).toBe(2);
    expect(await said).toContain('OPENAI_API_KEY is not set');
  });
});
