import { z } from 'zod';
import type { Problem } from './problems.ts';
import { allowed, pemFileSchema } from './values.ts';

/** TLS: the embedded engine's, and what a trunk may say of the certificates of its PBXs. */

const certificateWords = 'the SHA-256 fingerprint of a certificate (64 hex digits), or a name in it';
/** A fingerprint as `openssl x509 -fingerprint -sha256` writes it or without colons, or a domain name. */
export const certificateSchema = allowed(
  z
    .string()
    .max(253)
    .regex(
      /^([0-9A-Fa-f]{64}|([0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}|[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+)$/,
      `must be ${certificateWords}`,
    ),
  certificateWords,
);
export const CERTIFICATES_MOST = 100;

export const tlsSchema = z.strictObject({
  certificate: pemFileSchema.optional(),
  key: pemFileSchema.optional(),
  ca: pemFileSchema.optional(),
  client_certificates: allowed(
    z.enum(['off', 'optional', 'required']),
    'off, optional or required',
  ).optional(),
  min_version: allowed(z.enum(['TLSv1.2', 'TLSv1.3']), 'TLSv1.2 or TLSv1.3').default('TLSv1.2'),
});

/** What has to fit each other. The files themselves are read at the start of the engine. */
export function tlsProblems(
  listen: readonly string[],
  { certificate, key, ca, client_certificates }: z.infer<typeof tlsSchema>,
): Problem[] {
  const problems: Problem[] = [];
  const address = listen.find((one) => one.startsWith('tls:'));
  const missing = (name: string, why: string) =>
    problems.push({ path: `sip.tls.${name}`, found: 'nothing', allowed: `the path of a PEM file, ${why}` });
  if (address !== undefined && certificate === undefined)
    missing('certificate', `for ${address} in sip.listen`);
  if (address !== undefined && key === undefined) missing('key', `for ${address} in sip.listen`);
  if (ca === undefined && client_certificates !== undefined && client_certificates !== 'off')
    missing('ca', `with the CAs that vouch for client certificates, or sip.tls.client_certificates: off`);
  return problems;
}
