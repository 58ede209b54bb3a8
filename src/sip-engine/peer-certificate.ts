import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';

/** More names than any PBX has; what a certificate has beyond them is not looked at. */
const MAX_NAMES = 20;

/** The certificate that a peer proved to hold, whoever vouches for it. Source: RFC 5922 §7. */
export class PeerCertificate {
  /** SHA-256 of the whole certificate, 64 hex digits in lower case. */
  readonly fingerprint: string;
  /**
   * The domains that it is for, in lower case: names and `sip:` URIs among its alternative names, or where there are none
   * the common name (RFC 5922 §7.1). Wildcards name nobody (§7.2).
   */
  readonly names: readonly string[];
  readonly #certificate: X509Certificate;

  constructor(certificate: X509Certificate) {
    this.#certificate = certificate;
    this.fingerprint = certificate.fingerprint256.replaceAll(':', '').toLowerCase();
    this.names = namesOf(certificate).slice(0, MAX_NAMES);
  }

  /**
   * Whether it is for this name or address, as a certificate has to be for the peer that we call. Wildcards count here,
   * against RFC 5922 §7.2: large carriers have no others.
   */
  isFor(host: string): boolean {
    if (isIP(host) !== 0) return this.#certificate.checkIP(host) !== undefined;
    return this.#certificate.checkHost(host) !== undefined || this.names.includes(host.toLowerCase());
  }
}

/** The value of `X-Kallglot-Peer-Certificate`: `sha256=<64 hex digits>;names="pbx.example.com,example.com"`. */
export const certificateHeader = ({ fingerprint, names }: PeerCertificate): string =>
  `sha256=${fingerprint};names="${names.join(',')}"`;

function namesOf(certificate: X509Certificate): string[] {
  const alternatives = alternativeNames(certificate.subjectAltName ?? '');
  const named = alternatives.flatMap(({ kind, value }) => {
    if (kind === 'DNS') return [value];
    // With a user part it would name a person, not a domain.
    return kind === 'URI' && !value.includes('@') ? [/^sips?:([^;?:]+)$/i.exec(value)?.[1] ?? ''] : [];
  });
  const names = (named.length > 0 ? named : commonNames(certificate)).map((name) => name.toLowerCase());
  return [
    ...new Set(names.filter((name) => /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(name) && name.length <= 253)),
  ];
}

/**
 * `DNS:a.example, URI:sip:b.example`, as Node writes it; a value that could be taken for more than one stands in quotes
 * there, and is not looked at.
 */
function alternativeNames(text: string): { kind: string; value: string }[] {
  const entry = /(?:^|, )([\w ]+):(?:"(?:[^"\\]|\\.)*"|([^",]*))/y;
  const entries: { kind: string; value: string }[] = [];
  for (let match = entry.exec(text); match !== null; match = entry.exec(text)) {
    const [, kind = '', value] = match;
    if (value !== undefined) entries.push({ kind, value });
  }
  return entries;
}

function commonNames(certificate: X509Certificate): string[] {
  const { CN } = certificate.toLegacyObject().subject as { CN?: string | string[] };
  return CN === undefined ? [] : [CN].flat();
}
