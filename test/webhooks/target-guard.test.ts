import { afterEach, describe, expect, test } from 'vitest';
import { Sender } from '../../src/webhooks/sender.ts';
import { isPublicAddress, targetProblem } from '../../src/webhooks/target-guard.ts';
import { SetClock } from './fixture.ts';
import { Receiver } from './receiver.ts';

describe('the addresses that webhooks may go to', () => {
  test.each([
    '8.8.8.8',
    '1.1.1.1',
    '172.15.255.255',
    '172.32.0.1',
    '100.63.255.255',
    '100.128.0.0',
    '2606:4700:4700::1111',
    '2001:4860:4860::8888',
    '::ffff:8.8.8.8',
    '64:ff9b::8.8.8.8',
  ])('%s is public', (address) => expect(isPublicAddress(address)).toBe(true));

  test.each([
    ['this network', '0.0.0.0'],
    ['private', '10.0.0.1'],
    ['private', '172.16.0.1'],
    ['private', '172.31.255.255'],
    ['private', '192.168.1.1'],
    ['CGNAT', '100.64.0.1'],
    ['CGNAT', '100.127.255.255'],
    ['loopback', '127.0.0.1'],
    ['loopback', '127.255.255.254'],
    ['link-local and cloud metadata', '169.254.169.254'],
    ['documentation', '192.0.2.1'],
    ['documentation', '198.51.100.1'],
    ['documentation', '203.0.113.1'],
    ['benchmarks', '198.19.0.1'],
    ['multicast', '224.0.0.1'],
    ['reserved', '240.0.0.1'],
    ['broadcast', '255.255.255.255'],
    ['unspecified', '::'],
    ['loopback', '::1'],
    ['link-local', 'fe80::1'],
    ['link-local with a zone', 'fe80::1%eth0'],
    ['unique local', 'fc00::1'],
    ['unique local', 'fd12:3456::1'],
    ['multicast', 'ff02::1'],
    ['documentation', '2001:db8::1'],
    ['Teredo', '2001:0:7f00:1::'],
    ['6to4 of a private address', '2002:a00:1::'],
    ['6to4', '2002:808:808::'],
    ['mapped', '::ffff:127.0.0.1'],
    ['mapped, in hexadecimal', '::ffff:a00:1'],
    ['mapped, written out', '0:0:0:0:0:ffff:c0a8:101'],
    ['IPv4-compatible', '::127.0.0.1'],
    ['NAT64 of a private address', '64:ff9b::10.0.0.1'],
    ['NAT64 of loopback', '64:ff9b::7f00:1'],
    ['NAT64 of local use', '64:ff9b:1::8.8.8.8'],
    ['no address', 'example.com'],
    ['nothing', ''],
  ])('%s: %s is not', (_kind, address) => expect(isPublicAddress(address)).toBe(false));
});

describe('the address of an endpoint', () => {
  test.each([
    'https://example.com/hook',
    'https://example.com:8443/hook?a=1',
    'https://8.8.8.8/',
    'https://[2606:4700:4700::1111]/',
  ])('%s is allowed', (url) => expect(targetProblem(url, false)).toBeUndefined());

  test.each([
    ['http://example.com/', /https/],
    ['http://127.0.0.1/', /https/],
    ['ftp://example.com/', /https/],
    ['example.com', /such as/],
    ['https://user:pass@example.com/', /user name/],
    ['https://localhost/', /public/],
    ['https://api.localhost./', /public/],
    ['https://127.0.0.1/', /public/],
    ['https://2130706433/', /public/],
    ['https://0x7f.1/', /public/],
    ['https://017700000001/', /public/],
    ['https://10.1.2.3/', /public/],
    ['https://[::1]/', /public/],
    ['https://[::ffff:10.0.0.1]/', /public/],
    ['https://[64:ff9b::a9fe:a9fe]/', /public/],
    ['https://example.com:22/', /port/],
    ['https://example.com:25/', /port/],
    [`https://example.com/${'a'.repeat(2000)}`, /2000/],
  ])('%s is not', (url, words) => expect(targetProblem(url, false)).toMatch(words));

  test('the operator may allow private targets, and plain http to this machine only', () => {
    for (const url of [
      'https://10.0.0.1:22/',
      'https://localhost/',
      'http://127.0.0.1:1/',
      'http://[::1]:1/',
    ])
      expect(targetProblem(url, true)).toBeUndefined();
    expect(targetProblem('http://10.0.0.1/', true)).toMatch(/https/);
    expect(targetProblem('http://example.com/', true)).toMatch(/https/);
    expect(targetProblem('http://127.example.com/', true)).toMatch(/https/);
  });
});

describe('what DNS says of a receiver', () => {
  const running: { stop(): Promise<unknown> }[] = [];
  afterEach(async () => {
    for (const one of running.splice(0).reverse()) await one.stop();
  });

  /** Sends to a name that has these addresses. */
  async function sendTo(addresses: string[], allowPrivate = false, port = 1) {
    const resolve = (_name: string, _options: object, callback: (error: null, found: object[]) => void) =>
      callback(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      );
    const sender = new Sender({ clock: new SetClock(), allowPrivate, resolve: resolve as never });
    running.push({ stop: () => sender.close() });
    const url = allowPrivate ? `http://hook.localhost:${port}/` : 'https://hook.example.com/';
    const message = { deliveryId: 'd', url, secret: 's', body: '{}', retryCount: 0, originalAt: 0 };
    return sender.send(message, new AbortController().signal);
  }

  test.each([
    [['127.0.0.1']],
    [['10.0.0.1']],
    [['169.254.169.254']],
    [['::ffff:127.0.0.1']],
    [['8.8.8.8', '10.0.0.1']],
    [['fd00::1', '2606:4700:4700::1111']],
  ])('a name with %j is refused, without a connection', async (addresses) => {
    expect(await sendTo(addresses)).toEqual({
      status: null,
      error: 'the endpoint is not on the public internet',
      ours: false,
    });
  });

  test('a name without addresses is a failure', async () => {
    expect((await sendTo([])).error).toContain('has no address');
  });

  test('a private address is used where the operator allows it', async () => {
    const receiver = await Receiver.start();
    running.push(receiver);
    expect(await sendTo(['127.0.0.1'], true, Number(new URL(receiver.url).port))).toEqual({
      status: 200,
      error: null,
    });
  });
});
