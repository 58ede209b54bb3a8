import { expect, test } from 'vitest';
import { createLog } from '../../src/telemetry/log.ts';

function logged(details: object, words = 'words', showNumbers = false): string {
  const lines: string[] = [];
  createLog('info', { showNumbers, destination: { write: (line) => void lines.push(line) } }).info(
    details,
    words,
  );
  JSON.parse(lines[0] as string);
  return lines[0] as string;
}

test.each([
  [{ to: 'sip:+4930901820@pbx.example' }, '4930901820', 'sip:+********20@pbx.example'],
  [{ record: { from_uri: 'sips:0309018200;phone-context=x@a' } }, '0309018200', 'sips:********00;'],
  [{ from: 'tel:+49-30-9018' }, '30-9018', 'tel:+**-**-**18'],
  [{ called: 'sip:%2B4930901820@a' }, '4930901820', '%2B********20@a'],
  [{ from: '030 9018200' }, '9018200', '"from":"*** *****00"'],
  [{ detail: 'the callee +14155550123 is busy' }, '4155550123', '+*********23 is busy'],
])('a phone number is masked: %j', (details, number, instead) => {
  expect(logged(details)).not.toContain(number);
  expect(logged(details)).toContain(instead);
  expect(logged(details, 'words', true)).toContain(number);
});

test.each([
  [{ err: new Error('a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0LXNlY3JldA==|2^31') }, 'c2VjcmV0'],
  [{ head: 'Digest username="a", response="0123456789abcdef"' }, '0123456789abcdef'],
  [{ head: 'Authorization: Bearer abcdefgh-ijkl' }, 'abcdefgh'],
  [{ key: 'sk_live_abcdefgh' }, 'live_abcdefgh'],
  [{ err: new Error('wss://pipe.example/x?token=eyJhbGciOi&a=1 said 403') }, 'eyJhbGciOi'],
  [{ url: 'postgres://user:secret-word@db/x' }, 'secret-word'],
  [{ trunk: { password: 'secret-word' } }, 'secret-word'],
])('a secret is hidden: %j', (details, secret) => {
  for (const showNumbers of [false, true]) {
    const line = logged(details, 'words', showNumbers);
    expect(line).not.toContain(secret);
    expect(line).toContain('[hidden]');
  }
});

test('what names a call stays as it is', () => {
  const names = {
    ...{ session: 'sess_01J9ZQ3V5W8X7Y6T4R2P1N0M9K', leg: 'leg_01J9ZQ3V5W8X7Y6T4R2P1N0M9K' },
    ...{ call_id: '1234567890@192.0.2.1', to: 'sip:sess_01J9ZQ3V5W8X7Y6T4R2P1N0M9K@sip.kallglot.com' },
    ...{ from: 'sip:4711@pbx.example', source: '192.0.2.1:5060' },
  };
  expect(JSON.parse(logged(names))).toMatchObject(names);
});
