import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TlsSettings } from '../../src/sip-engine/tls-settings.ts';

/** The certificates of `test/fixtures/tls`; its README says what each is for. */
type CertificateName = 'ca' | 'server' | 'renewed' | 'pbx' | 'other' | 'nameless' | 'expired' | 'stranger';

const folder = join(import.meta.dirname, '../fixtures/tls');

export const certificateFile = (name: CertificateName): string => join(folder, `${name}.pem`);
export const keyFile = (name: Exclude<CertificateName, 'ca'>): string => join(folder, `${name}-key.pem`);
export const certificateOf = (name: CertificateName): string => readFileSync(certificateFile(name), 'utf8');

/** What a TLS socket takes to show this certificate. */
export const identity = (name: Exclude<CertificateName, 'ca'>): { cert: string; key: string } => ({
  cert: certificateOf(name),
  key: readFileSync(keyFile(name), 'utf8'),
});

/** An engine with the certificate `server`, which asks for client certificates of the test CA. */
export const tlsSettings = (changes: Partial<TlsSettings> = {}): TlsSettings => ({
  certificate: certificateFile('server'),
  key: keyFile('server'),
  ca: certificateFile('ca'),
  clientCertificates: 'optional',
  minVersion: 'TLSv1.2',
  ...changes,
});
