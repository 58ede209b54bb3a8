import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';

/** How the engine speaks TLS; plain data, so that it can go to a worker. */
export interface TlsSettings {
  /** PEM file of our certificate, with the intermediate ones behind it. */
  certificate: string;
  /** PEM file of its key. */
  key: string;
  /** PEM file of the CAs that vouch for client certificates, and beside the well-known ones for peers that we call. */
  ca?: string | undefined;
  /** Whether peers are asked for a certificate; `required` refuses the handshake of those without a good one. */
  clientCertificates: 'off' | 'optional' | 'required';
  minVersion: 'TLSv1.2' | 'TLSv1.3';
}

/** What the files hold, checked to fit together. */
export interface TlsMaterial {
  cert: string;
  key: string;
  ca: string | undefined;
  /** Wall clock, ms: when the certificate ends. */
  expiresAt: number;
}

/** @throws Error in plain words that names the setting and its file */
export async function readTlsMaterial(settings: TlsSettings): Promise<TlsMaterial> {
  const [cert, key, ca] = await Promise.all([
    readPem('certificate', settings.certificate),
    readPem('key', settings.key),
    settings.ca === undefined ? undefined : readPem('ca', settings.ca),
  ]);
  const [own] = certificatesIn('certificate', settings.certificate, cert);
  if (settings.ca !== undefined && ca !== undefined) certificatesIn('ca', settings.ca, ca);
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    const why = (error as Error).message;
    throw new Error(`sip.tls.key: ${settings.key} is not the key of ${settings.certificate} (${why})`);
  }
  return { cert, key, ca, expiresAt: own!.validToDate.getTime() };
}

async function readPem(setting: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new Error(`sip.tls.${setting}: ${file} cannot be read: ${(error as Error).message}`);
  }
}

/** The certificates of a PEM file, at least one. */
function certificatesIn(setting: string, file: string, pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new Error(`sip.tls.${setting}: ${file} holds no certificate in PEM form`);
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (error) {
    throw new Error(`sip.tls.${setting}: ${file} holds no good certificate: ${(error as Error).message}`);
  }
}
