import { copyFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newStats } from '../../src/sip-engine/stats.ts';
import { type CertificateReport, TlsCertificate } from '../../src/sip-engine/tls-certificate.ts';
import { certificateFile, keyFile, tlsSettings } from '../support/certificates.ts';
import { FakeEngineClock } from '../support/engine-clock.ts';
import { EngineSockets, portOf, read } from '../support/engine-sockets.ts';

let folder: string;
const sockets = new EngineSockets();
const reports: CertificateReport[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tls-certificate-'));
  reports.splice(0);
  install('server');
});
afterEach(async () => {
  await sockets.close();
  rmSync(folder, { recursive: true, force: true });
});

const file = (): string => join(folder, 'cert.pem');
const settings = () => tlsSettings({ certificate: file(), key: join(folder, 'key.pem') });

/** Puts a certificate and its key in place, as renewals do it: written beside, then renamed. */
function install(name: 'server' | 'renewed' | 'expired'): void {
  copyFileSync(certificateFile(name), join(folder, 'new'));
  renameSync(join(folder, 'new'), file());
  copyFileSync(keyFile(name), join(folder, 'new'));
  renameSync(join(folder, 'new'), join(folder, 'key.pem'));
}

describe('the certificate of a running engine', () => {
  const engine = () =>
    sockets.engine([{ transport: 'tls', host: '127.0.0.1', port: 0 }], {}, settings(), {
      certificate: (report) => void reports.push(report),
    });
  async function serialAt(port: number): Promise<string | undefined> {
    return (await sockets.dialTls(port)).getPeerX509Certificate()?.serialNumber;
  }

  const soon = { timeout: 45_000 };

  it('is replaced when its files change, and connections stay', { timeout: 60_000 }, async () => {
    const running = await engine();
    const before = await sockets.dialTls(portOf(running));
    install('renewed');
    await expect.poll(() => reports, soon).toHaveLength(1);
    expect(reports[0]).toEqual({ event: 'in_use', file: file(), expiresAt: Date.UTC(2120, 0, 1) });
    expect(await serialAt(portOf(running))).not.toBe(before.getPeerX509Certificate()?.serialNumber);
    before.write('\r\n\r\n');
    expect(await read(before, /\r\n/)).toBe('\r\n');
  });

  it('stays when its new files are broken, until they are whole', { timeout: 120_000 }, async () => {
    const running = await engine();
    const serial = await serialAt(portOf(running));
    writeFileSync(file(), 'half of a certificate');
    const problem = `sip.tls.certificate: ${file()} holds no certificate in PEM form`;
    await expect.poll(() => reports, soon).toEqual([{ event: 'not_taken', problem }]);
    expect(await serialAt(portOf(running))).toBe(serial);
    install('renewed');
    await expect.poll(() => reports.at(-1), soon).toMatchObject({ event: 'in_use' });
    expect(await serialAt(portOf(running))).not.toBe(serial);
  });
});

describe('the files of a certificate', () => {
  async function open(clock: FakeEngineClock): Promise<TlsCertificate> {
    const certificate = await TlsCertificate.open(settings(), newStats(), clock, (report) => {
      reports.push(report);
    });
    sockets.onClose(() => certificate.close());
    return certificate;
  }

  it('are looked at every 30 s, for systems that tell nothing', async () => {
    const clock = new FakeEngineClock();
    await open(clock);
    install('renewed');
    clock.advance(30_000);
    await expect.poll(() => reports).toMatchObject([{ event: 'in_use' }]);
  });

  it('that do not fit together are not taken, which is told once', async () => {
    const certificate = await open(new FakeEngineClock());
    copyFileSync(certificateFile('renewed'), file());
    await certificate.reload();
    await certificate.reload();
    expect(reports).toMatchObject([
      { event: 'not_taken', problem: expect.stringContaining('is not the key of') },
    ]);
  });

  it('that somebody asks for are told of in any case', async () => {
    const certificate = await open(new FakeEngineClock());
    await certificate.reload(true);
    copyFileSync(certificateFile('renewed'), file());
    await certificate.reload(true);
    await certificate.reload(true);
    await certificate.reload();
    expect(reports.map(({ event }) => event)).toEqual(['in_use', 'not_taken', 'not_taken']);
  });

  it('are told of once a day while the certificate is about to end, or has ended', async () => {
    install('expired');
    const clock = new FakeEngineClock();
    const certificate = await open(clock);
    expect(certificate.inUse.expiresAt).toBe(Date.UTC(2002, 0, 1));
    for (let hour = 0; hour < 48; hour++) {
      clock.advance(3_600_000);
      await certificate.reload();
    }
    expect(reports.map(({ event }) => event)).toEqual(['expires_soon', 'expires_soon']);
  });

  it('are left alone after the end', async () => {
    const clock = new FakeEngineClock();
    (await open(clock)).close();
    expect(clock.pending).toBe(0);
  });
});
