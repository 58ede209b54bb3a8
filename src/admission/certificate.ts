/** The TLS client certificate of a caller, and whose trunk it is mapped to. Source: decisions §3 row 3, §9. */

/** What the engine says of a certificate that one of the gateway's CAs vouches for. */
export interface CallerCertificate {
  /** SHA-256, 64 hex digits in lower case. */
  fingerprint: string;
  /** Domain names, in lower case. */
  names: readonly string[];
}

/**
 * Reads the engine's `X-Kallglot-Peer-Certificate`: `sha256=<64 hex digits>;names="pbx.example.com,example.com"`.
 * @returns null when there is none
 */
export function parsePeerCertificate(header: string | undefined): CallerCertificate | null {
  const match = /^sha256=([0-9a-f]{64});names="([a-z0-9._,-]*)"$/.exec(header ?? '');
  if (match === null) return null;
  const [, fingerprint = '', names = ''] = match;
  return { fingerprint, names: names.split(',').filter((name) => name !== '') };
}

/** @param entries fingerprints and names, as a trunk has them */
export const isMapped = (entries: readonly string[], { fingerprint, names }: CallerCertificate): boolean =>
  entries.some((entry) => entry === fingerprint || names.includes(entry));

/** Names come from the certificate, of any number and length: what an operator needs of them is their beginning. */
export const shownCertificate = ({ names, fingerprint }: CallerCertificate): string =>
  names.join(', ').slice(0, 200) || fingerprint;
