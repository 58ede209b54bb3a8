import { X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { isMapped, parsePeerCertificate, shownCertificate } from '../../src/admission/certificate.ts';
import { certificateHeader, PeerCertificate } from '../../src/sip-engine/peer-certificate.ts';
import { certificateOf } from '../support/certificates.ts';

const pbx = new PeerCertificate(new X509Certificate(certificateOf('pbx')));
const nobody = `sha256=${'0'.repeat(64)};names=""`;

describe('what the engine says of a certificate', () => {
  test('is read as it was meant', () => {
    const { fingerprint, names } = pbx;
    expect(parsePeerCertificate(certificateHeader(pbx))).toEqual({ fingerprint, names });
    expect(parsePeerCertificate(nobody)).toEqual({ fingerprint: '0'.repeat(64), names: [] });
  });

  test.each([
    undefined,
    '',
    'pbx.acme.example',
    'sha256=00;names="pbx.acme.example"',
    `${nobody},${nobody}`,
    nobody.replace('""', '"a\\"b"'),
    nobody.replace('""', '"A.EXAMPLE"'),
  ])('%j is no certificate', (header) => {
    expect(parsePeerCertificate(header)).toBeNull();
  });
});

describe('the entries of a trunk', () => {
  const certificate = parsePeerCertificate(certificateHeader(pbx))!;

  test.each([[pbx.fingerprint], ['pbx.acme.example'], ['acme.example']])('%s is the certificate', (entry) => {
    expect(isMapped(['elsewhere.example', entry], certificate)).toBe(true);
  });

  test.each([['acme'], ['example'], ['x.pbx.acme.example'], [pbx.fingerprint.slice(1)], ['']])(
    '%s is not the certificate',
    (entry) => {
      expect(isMapped([entry], certificate)).toBe(false);
    },
  );

  test('is shown by its names, or its fingerprint where it has none', () => {
    expect(shownCertificate(certificate)).toBe('pbx.acme.example, acme.example');
    expect(shownCertificate({ ...certificate, names: [] })).toBe(pbx.fingerprint);
    expect(shownCertificate({ ...certificate, names: ['x'.repeat(5000)] })).toHaveLength(200);
  });

  test('that are none map nothing', () => {
    expect(isMapped([], certificate)).toBe(false);
  });
});
