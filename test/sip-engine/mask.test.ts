import { describe, expect, it } from 'vitest';
import { masked } from '../../src/sip-engine/mask.ts';

const message = (lines: string[], body = ''): string =>
  `INVITE sip:us@192.0.2.1 SIP/2.0\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n${body}`;

describe('what nobody may read in a trace', () => {
  it.each([
    [
      'the answer to a challenge',
      'Authorization: Digest username="a", nonce="n", response="SECRET", cnonce="c"',
    ],
    ['without quotes', 'Authorization: Digest response=SECRET,username="a"'],
    ['with spaces', 'Proxy-Authorization : Digest username="a", response = "SECRET"'],
    ['in any spelling', 'PROXY-AUTHORIZATION:digest RESPONSE="SECRET"'],
    ['in a folded header', 'Authorization: Digest username="a",\r\n nonce="n",\r\n\tresponse="SECRET"'],
    ['with a quote that does not end', 'Authorization: Digest response="SECRET'],
    ['in a line that ends as none should', 'X: y\nAuthorization: Digest\n response="SECRET"'],
    ['of another scheme', 'Authorization: Basic SECRET=='],
    ['of another scheme with parameters', 'Authorization: Bearer token=SECRET, more="SECRET"'],
    ['of a server', 'Authentication-Info: rspauth="SECRET", nc=00000001'],
  ])('%s', (_, line) => {
    const text = masked(message(['Via: SIP/2.0/UDP a', line, 'To: <sip:b>']));
    expect(text).not.toContain('SECRET');
    expect(text).toContain('***');
    expect(text).toContain('Via: SIP/2.0/UDP a\r\n');
    expect(text).toContain('\r\nTo: <sip:b>\r\n');
  });

  it.each([
    'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:SECRET|2^20|1:4;inline:SECRET',
    'a=crypto:7 AEAD_AES_256_GCM_8 INLINE:SECRET',
    'a=x-crypto inline:SECRET',
    'a=key-mgmt:mikey SECRET',
    'k=base64:SECRET',
  ])('keys: %s', (line) => {
    const text = masked(message(['Content-Type: application/sdp'], `v=0\r\n${line}\r\na=sendrecv\r\n`));
    expect(text).not.toContain('SECRET');
    expect(text).toContain('\r\na=sendrecv\r\n');
  });
});

describe('the keys that a caller presses', () => {
  const info = (type: string, body: string): string =>
    message([`Content-Type: ${type}`, 'Content-Length: 9'], body);

  it.each([
    ['application/dtmf-relay', 'Signal=4\r\nDuration=160\r\n', 'Signal=***\r\nDuration=160\r\n'],
    ['application/dtmf-relay;charset=utf-8', 'duration = 160\nSIGNAL = #', 'duration = 160\nSIGNAL =***'],
    ['APPLICATION/DTMF', '4', '***'],
    ['application/dtmf', '4711\r\n0815', '***\r\n***'],
  ])('are not told by an INFO with %s', (type, body, shown) => {
    expect(masked(info(type, body))).toBe(info(type, shown));
  });

  it('in a header of one letter, with bare line ends', () => {
    expect(masked('INFO sip:a SIP/2.0\nc: application/dtmf\n\n7')).toBe(
      'INFO sip:a SIP/2.0\nc: application/dtmf\n\n***',
    );
  });

  it('a message that only names the type keeps its body', () => {
    const text = message(['Accept: application/dtmf', 'Content-Type: text/plain'], 'Signal=4');
    expect(masked(text)).toBe(text);
  });
});

it('leaves the rest of a challenge and its answer to be read', () => {
  const line =
    'Authorization: Digest username="acme", realm="r", nonce="n", uri="sip:x", response="0f", nc=1';
  expect(masked(message([line]))).toBe(message([line.replace('"0f"', '"***"')]));
});

it('leaves a message without secrets as it is', () => {
  const text = message(
    ['WWW-Authenticate: Digest realm="r", nonce="n"', 'k: timer'],
    'v=0\r\na=sendrecv\r\n',
  );
  expect(masked(text)).toBe(text);
});

it('takes no more than a moment for the worst that fits into a message', () => {
  for (const piece of [
    'response=',
    'Authorization: Digest "',
    '\r\nAuthorization:\r\n ',
    'inline:',
    '\na=crypto:1 ',
    'c: application/dtmf\r\n\r\n ',
    '\r\n\r\nc: application/dtmf',
  ]) {
    const text = piece.repeat(Math.floor(16_384 / piece.length));
    const before = process.cpuUsage();
    masked(text);
    expect(process.cpuUsage(before).user).toBeLessThan(200_000);
  }
});
