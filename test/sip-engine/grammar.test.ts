import { describe, expect, it } from 'vitest';
import { forApplication } from '../../src/sip-engine/application-copy.ts';
import { parseCSeq } from '../../src/sip-engine/cseq.ts';
import { StreamFramer } from '../../src/sip-engine/framing.ts';
import { type SipRequest, splitList } from '../../src/sip-engine/message.ts';
import { parseHead } from '../../src/sip-engine/message-head.ts';
import { parseNameAddr } from '../../src/sip-engine/name-addr.ts';
import { parseUri } from '../../src/sip-engine/uri.ts';
import { formatVia, parseVia } from '../../src/sip-engine/via.ts';
import { judge, requestLines, sip } from './verdict.ts';

describe('URIs', () => {
  it('of SIP are taken apart', () => {
    expect(
      parseUri('SIPS:alice:secret@[2001:db8::1]:5061;transport=tcp;LR?subject=x&to=a%40b'),
    ).toMatchObject({
      scheme: 'sips',
      user: 'alice',
      password: 'secret',
      host: '[2001:db8::1]',
      port: 5061,
      params: new Map([
        ['transport', 'tcp'],
        ['lr', null],
      ]),
      headers: 'subject=x&to=a%40b',
    });
    expect(parseUri('sip:example.com')).toMatchObject({
      user: undefined,
      host: 'example.com',
      port: undefined,
    });
    expect(parseUri('sip:*31#@my_pbx')).toMatchObject({ user: '*31#', host: 'my_pbx' });
  });

  it('of telephones keep their number', () => {
    expect(parseUri('tel:+1-201-555-0123;phone-context=example.com')).toMatchObject({
      scheme: 'tel',
      user: '+1-201-555-0123',
      host: '',
      params: new Map([['phone-context', 'example.com']]),
    });
  });

  it('of other schemes are opaque', () => {
    expect(parseUri('http://www.example.com/x?y')).toMatchObject({ scheme: 'http', host: '' });
  });

  it.each([
    '',
    'sip',
    'sip:',
    'sip:@host',
    'sip:a@',
    'sip:a@b@c',
    'sip:a b@c',
    'sip:a@b:',
    'sip:a@b:0',
    'sip:a@b:65536',
    'sip:a@b:1x',
    'sip:2001:db8::1',
    'sip:[2001:db8::1',
    'sip:[2001:db8::1::2]',
    'sip:[fe80::1%25eth0]',
    'sip:[]',
    'sip:a@b;',
    'sip:a@b;x=',
    'sip:a@b;x=1;X=2',
    'sip:a@b?',
    'sip:a%4@b',
    'sip:a%zz@b',
    'sip:j\xf6rg@b',
    'sip:a@b\0',
    'sip:"a"@b',
    'sip:<a>@b',
    'tel:',
    'tel:abc-xyz',
    'x:a b',
  ])('%j is none', (text) => {
    expect(parseUri(text)).toBeUndefined();
  });
});

describe('Via', () => {
  it('is read and written', () => {
    const via = parseVia(
      'SIP / 2.0 / udp [2001:db8::1] : 5060 ; rport;branch=z9hG4bK1;received=2001:db8::2;x="a;b"',
    );
    expect(via).toMatchObject({ transport: 'UDP', host: '[2001:db8::1]', port: 5060 });
    expect(via?.params.get('rport')).toBeNull();
    via?.params.set('rport', '1024');
    expect(formatVia(via!)).toBe(
      'SIP/2.0/UDP [2001:db8::1]:5060;rport=1024;branch=z9hG4bK1;received=2001:db8::2;x="a;b"',
    );
  });

  it.each([
    '',
    'SIP/2.0/UDP',
    'SIP/2.0/UDPhost',
    'SIP/2.0 host',
    'SIP/2/UDP host',
    'HTTP/2.0/UDP host',
    'SIP/2.0/UDP host:',
    'SIP/2.0/UDP host:99999',
    'SIP/2.0/UDP host;',
    'SIP/2.0/UDP host;;branch=x',
    'SIP/2.0/UDP host;branch=',
    'SIP/2.0/UDP host;branch=a;branch=b',
    'SIP/2.0/UDP host;branch="a',
    'SIP/2.0/UDP host, SIP/2.0/UDP other',
    'SIP/2.0/UDP host branch',
  ])('%j is none', (text) => {
    expect(parseVia(text)).toBeUndefined();
  });
});

describe('addresses', () => {
  it.each([
    ['<sip:a@b>', undefined, 'sip:a@b', {}],
    ['"A \\"B\\" <c>, d" <sip:a@b;lr?x=y>;tag=1', 'A "B" <c>, d', 'sip:a@b;lr?x=y', { tag: '1' }],
    ['Alice  B.\t<sip:a@b> ; tag = 1 ; q="x;y"', 'Alice B.', 'sip:a@b', { tag: '1', q: '"x;y"' }],
    ['Alice<sip:a@b>', 'Alice', 'sip:a@b', {}],
    ['sip:a@b;tag=1', undefined, 'sip:a@b', { tag: '1' }],
    ['sip:a@b ;tag=1', undefined, 'sip:a@b', { tag: '1' }],
    ['*', undefined, '*', {}],
    ['""<tel:+1>', undefined, 'tel:+1', {}],
  ])('%j', (text, display, uri, params) => {
    expect(parseNameAddr(text)).toEqual({ display, uri, params: new Map(Object.entries(params)) });
  });

  it.each([
    '',
    'sip:a@b, sip:c@d',
    'sip:a@b?x=y',
    '<sip:a@b',
    'sip:a@b>',
    '< sip:a@b >',
    '"A <sip:a@b>',
    '"A" sip:a@b',
    '"A\\',
    'A, B <sip:a@b>',
    'A@B <sip:a@b>',
    'J\xf6rg <sip:a@b>',
    '<sip:a@b>;',
    '<sip:a@b>;;tag=1',
    '<sip:a@b>;tag=1;tag=2',
    '<sip:a@b>;tag=a|b',
    '<sip:a@b> x',
    '<>',
    ';tag=1',
    'sip:a@b\xa0;tag=1',
  ])('%j is none', (text) => {
    expect(parseNameAddr(text)).toBeUndefined();
  });
});

describe('CSeq', () => {
  it('is a number under 2^31 and a method', () => {
    expect(parseCSeq('0009   INVITE')).toEqual({ number: 9, method: 'INVITE' });
    expect(parseCSeq('2147483647 ACK')).toEqual({ number: 2147483647, method: 'ACK' });
  });

  it.each(['', '1', 'INVITE', '1INVITE', '-1 INVITE', '2147483648 INVITE', '1 INVITE x', '1 IN|VITE'])(
    '%j is none',
    (text) => {
      expect(parseCSeq(text)).toBeUndefined();
    },
  );
});

describe('time', () => {
  const hostile: [name: string, make: (n: number) => string][] = [
    ['spaces', (n) => ' '.repeat(n)],
    ['spaces in an address', (n) => `a${' '.repeat(n)}b`],
    ['words', (n) => 'a '.repeat(n / 2)],
    ['open quotes', (n) => `"${'\\"'.repeat(n / 2)}`],
    ['semicolons', (n) => `<sip:a@b>${'; a'.repeat(n / 3)}`],
    ['parameters', (n) => `<sip:a@b>${Array.from({ length: n / 8 }, (_, i) => `;p${i}`).join('')}`],
    ['brackets', (n) => '<'.repeat(n)],
    ['escapes', (n) => `sip:${'%41'.repeat(n / 3)}@b`],
    ['colons', (n) => `SIP/2.0/UDP [${':'.repeat(n)}`],
    ['commas', (n) => ','.repeat(n)],
    ['folds', (n) => '\r\n '.repeat(n / 3)],
    ['carriage returns', (n) => '\r'.repeat(n)],
    ['short lines', (n) => '\r\nV:x'.repeat(n / 5)],
  ];
  const parsers: ((text: string) => unknown)[] = [
    parseUri,
    parseVia,
    parseNameAddr,
    parseCSeq,
    splitList,
    (text) => parseHead(`INVITE sip:a@b SIP/2.0\r\nX: ${text}`),
    (text) => parseHead(`${text}\r\n${text}`),
    (text) => judge(sip(requestLines('INVITE', { From: text }))),
    (text) => new StreamFramer().feed(sip(requestLines('INVITE', { From: text }))),
    (text) => forApplication({ ...empty, headers: [{ name: 'To', value: text }] }),
  ];

  const empty: SipRequest = { kind: 'request', method: 'X', uri: 'x:y', headers: [], body: Buffer.alloc(0) };

  /** Fastest of several runs, in ms: noise only ever adds. */
  const fastest = (text: string): number => {
    const times = Array.from({ length: 10 }, () => {
      const start = performance.now();
      for (const parse of parsers) parse(text);
      return performance.now() - start;
    });
    return Math.min(...times);
  };

  // A machine that is busy with other things may have to be asked again; quadratic time would be seen each time.
  it.each(hostile)('grows no faster than the text: %s', { retry: 4 }, (_name, make) => {
    fastest(make(50_000));
    // Quadratic time would be 64 times as long for eight times the text, and linear time 8 times; 32 is between, and
    // under 5 ms there is nothing to compare.
    const [short, long] = [fastest(make(50_000)), fastest(make(400_000))];
    expect(long < 5 || long / short < 32, `${short} ms -> ${long} ms`).toBe(true);
  });
});
