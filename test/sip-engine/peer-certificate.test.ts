import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { certificateHeader, PeerCertificate } from '../../src/sip-engine/peer-certificate.ts';
import { certificateOf } from '../support/certificates.ts';

const read = (name: Parameters<typeof certificateOf>[0]): PeerCertificate =>
  new PeerCertificate(new X509Certificate(certificateOf(name)));

/** A certificate with these alternative names, as Node would show them. */
function named(subjectAltName: string | undefined, CN?: string | string[]): PeerCertificate {
  return new PeerCertificate({
    fingerprint256: 'AB:CD',
    subjectAltName,
    toLegacyObject: () => ({ subject: { CN } }),
  } as unknown as X509Certificate);
}

describe('the certificate of a peer', () => {
  it('is known by its fingerprint and by its domains', () => {
    const { fingerprint, names } = read('pbx');
    expect(fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(names).toEqual(['pbx.acme.example', 'acme.example']);
    expect(certificateHeader(read('pbx'))).toBe(
      `sha256=${fingerprint};names="pbx.acme.example,acme.example"`,
    );
  });

  it('is known by its common name where it has no other', () => {
    expect(read('nameless').names).toEqual(['old.acme.example']);
    expect(named('DNS:a.example', 'b.example').names).toEqual(['a.example']);
    expect(named('IP Address:192.0.2.1', ['b.example', 'C.example']).names).toEqual([
      'b.example',
      'c.example',
    ]);
    expect(named(undefined).names).toEqual([]);
  });

  it.each([
    ['a wildcard', 'DNS:*.acme.example'],
    ['a person', 'URI:sip:bob@acme.example'],
    ['another scheme', 'URI:https://acme.example'],
    ['a mail address', 'email:bob@acme.example'],
    ['names hidden in one', 'DNS:"x.example, DNS:acme.example, DNS:y"'],
    ['a name with a quote', 'DNS:"acme.example\\"", DNS:"a\\", DNS:acme.example, URI:\\""'],
    ['what is no name', 'DNS:acme example, DNS:-;names=, DNS:acme..example'],
  ])('takes no domain from %s', (_, alternatives) => {
    expect(named(alternatives).names).not.toContain('acme.example');
    expect(named(alternatives).names.join()).toMatch(/^[a-z0-9.-]*$/);
  });

  it('has no more names than are looked at', () => {
    const many = Array.from({ length: 500 }, (_, n) => `DNS:n${n}.example`).join(', ');
    expect(named(many).names).toHaveLength(20);
  });

  it('is for its names and addresses, and for no others', () => {
    const pbx = read('pbx');
    for (const host of ['pbx.acme.example', 'PBX.acme.example', 'acme.example', '127.0.0.1'])
      expect([host, pbx.isFor(host)]).toEqual([host, true]);
    for (const host of ['x.pbx.acme.example', 'example', '127.0.0.2', '::1', ''])
      expect([host, pbx.isFor(host)]).toEqual([host, false]);
    expect(read('server').isFor('::1')).toBe(true);
  });
});
