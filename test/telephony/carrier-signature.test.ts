import { describe, expect, test } from 'vitest';
import {
  isSignedByTelnyx,
  isSignedByTwilio,
  type SignedWebhook,
} from '../../src/telephony/carrier-signature.ts';
import { documentedCall, signedByTwilio, telnyxAccount } from '../support/carrier-webhook.ts';

/** The call of Twilio's documentation and of the tests of its libraries, whose auth token is 12345. */
const call = (number: string) =>
  `CallSid=CA1234567890ABCDE&Caller=${number}&Digits=1234&From=${number}&To=%2B18005551212`;
const address = 'https://mycompany.com/myapp.php?foo=1&bar=2';
const webhook = (url: string, body: string, signature?: string): SignedWebhook => ({
  ...{ url, body: Buffer.from(body), signature, timestamp: undefined },
});

describe('a signature of Twilio', () => {
  test.each([
    // www.twilio.com/docs/usage/security
    ['of the documentation', address, call('%2B12349013030'), '0/KCTR6DLpKmkAf8muzZqo1nDgQ='],
    // twilio-node, spec/validation.spec.js
    ['of the libraries', address, call('%2B14158675309'), 'RSOYDt4T1cUTdK1PDd93/VVr8B8='],
    [
      'over the port of the scheme, which the address does not have',
      address,
      call('%2B14158675309'),
      'kvajT1Ptam85bY51eRf/AJRuM3w=',
    ],
    [
      'over no port, which the address has',
      'https://mycompany.com:1234/myapp.php?foo=1&bar=2',
      call('%2B14158675309'),
      'RSOYDt4T1cUTdK1PDd93/VVr8B8=',
    ],
    [
      'over a port of one’s own, by plain HTTP',
      'http://mycompany.com:1234/myapp.php?foo=1&bar=2',
      call('%2B14158675309'),
      'Zmvh+3yNM1Phv2jhDCwEM3q5ebU=',
    ],
    [
      'over the port of plain HTTP',
      'http://mycompany.com/myapp.php?foo=1&bar=2',
      call('%2B14158675309'),
      '0ZXoZLH/DfblKGATFgpif+LLRf4=',
    ],
    [
      'over names that come several times, in any order',
      address,
      'Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234',
      'IK+Dwps556ElfBT0I3Rgjkr1wJU=',
    ],
    [
      'over an address with escapes',
      `${address}&Body=It's+amazing`,
      call('%2B14158675309'),
      'dsq4Ehbj6cs+KdTkpF5sSSplOWw=',
    ],
  ])('%s is good', (_, url, body, signature) => {
    expect(isSignedByTwilio(webhook(url, body, signature), '12345')).toBe(true);
    expect(isSignedByTwilio(webhook(url, body, signature), '12346')).toBe(false);
    expect(isSignedByTwilio(webhook(`${url}&x=1`, body, signature), '12345')).toBe(false);
    expect(isSignedByTwilio(webhook(url, `${body}&x=1`, signature), '12345')).toBe(false);
  });

  test.each(['', undefined, 'WRONG_SIGNATURE', '%', 'A'.repeat(10_000)])('%s is none', (signature) => {
    expect(isSignedByTwilio(webhook(address, call('1'), signature), '12345')).toBe(false);
  });

  test('covers what a form has escaped, whatever alphabet it is in', () => {
    const fields = documentedCall('twilio');
    const { payload, headers } = signedByTwilio(address, fields, 'a-token');
    expect(isSignedByTwilio(webhook(address, payload, headers['x-twilio-signature']), 'a-token')).toBe(true);
    expect(payload).toContain('S%C3%B6hne');
  });

  test('needs an address that can be read', () => {
    expect(isSignedByTwilio(webhook('', '', ''), '12345')).toBe(false);
    const { headers } = signedByTwilio('http://[::1]:8080/v1', {}, 't');
    expect(isSignedByTwilio(webhook('http://[::1]:8080/v1', '', headers['x-twilio-signature']), 't')).toBe(
      true,
    );
  });
});

describe('a signature of Telnyx', () => {
  const now = 1_700_000_000_000;
  const account = telnyxAccount();
  const { payload, headers } = account.signed(documentedCall('telnyx'), now);
  const signed = {
    ...webhook('https://gateway.example/', payload, headers['telnyx-signature-ed25519']),
    timestamp: headers['telnyx-timestamp'],
  };
  const isGood = (change: Partial<SignedWebhook> = {}, at = now, key = account.publicKey) =>
    isSignedByTelnyx({ ...signed, ...change }, key, at);

  test('is good for five minutes, whichever clock is ahead', () => {
    expect(isGood()).toBe(true);
    for (const seconds of [-300, 300]) expect(isGood({}, now + seconds * 1000)).toBe(true);
    for (const seconds of [-301, 301]) expect(isGood({}, now + seconds * 1000)).toBe(false);
  });

  test('covers the time and every byte of the body', () => {
    expect(isGood({ timestamp: String(now / 1000 - 1) })).toBe(false);
    expect(isGood({ body: Buffer.from(`${payload}&`) })).toBe(false);
    expect(isGood({ body: Buffer.from(payload.replace('ringing', 'RINGING')) })).toBe(false);
    expect(isGood({}, now, telnyxAccount().publicKey)).toBe(false);
  });

  test.each<Partial<SignedWebhook>>([
    { signature: undefined },
    { signature: '' },
    { signature: 'AAAA' },
    { timestamp: undefined },
    { timestamp: `${now / 1000}.0` },
    { timestamp: ` ${now / 1000}` },
    { timestamp: '9'.repeat(400) },
  ])('is none with %o', (change) => expect(isGood(change)).toBe(false));
});
