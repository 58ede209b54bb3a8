import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { forApplication } from '../../src/sip-engine/application-copy.ts';
import { header, headersOf, parseMessage, type SipRequest } from '../../src/sip-engine/message.ts';
import { isAnswerable, validateRequest, validateResponse } from '../../src/sip-engine/validate.ts';
import { judge, requestLines, sip } from './verdict.ts';

const request = (method: string, changes: Record<string, string | null>): SipRequest =>
  parseMessage(sip(requestLines(method, changes))) as SipRequest;

describe('a request', () => {
  it.each([
    ['INVITE', {}],
    ['OPTIONS', { Contact: null }],
    ['INVITE', { From: '<sip:a@b>' }],
    ['INVITE', { From: '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1', To: 'tel:+15551234' }],
    ['INVITE', { 'Max-Forwards': '0' }],
    ['INVITE', { 'Max-Forwards': null }],
    ['REGISTER', { Contact: '*' }],
    ['REGISTER', { Contact: '<sip:a@b>, <sip:c@d>' }],
    ['INVITE', { 'Call-ID': 'no=host&but#fine' }],
    ['INVITE', { Via: 'SIP/2.0/UDP h;branch=z9hG4bK1, SIP/2.0/TLS [::1]:5061;branch=z9hG4bK2' }],
    ['INVITE', { Require: 'nobody-has-this', Date: 'whenever', 'P-Asserted-Identity': '<<>>' }],
  ] as [string, Record<string, string | null>][])('%s with %j is handled', (method, changes) => {
    expect(validateRequest(request(method, changes))).toBeNull();
  });

  it.each([
    ['INVITE', { From: null }, 'no From'],
    ['INVITE', { To: null }, 'no To'],
    ['INVITE', { 'Call-ID': null }, 'no Call-ID'],
    ['INVITE', { CSeq: null }, 'no CSeq'],
    ['INVITE', { Via: null }, 'no Via'],
    ['INVITE', { Contact: null }, 'Contact'],
    ['INVITE', { Contact: '<sip:a@b>, <sip:c@d>' }, 'Contact'],
    ['INVITE', { Contact: '*' }, 'Contact'],
    ['INVITE', { Contact: '' }, 'Contact'],
    ['OPTIONS', { Contact: '<sip:a@b>,' }, 'Contact'],
    ['INVITE', { f: '<sip:a@b>;tag=2' }, 'more than one From'],
    ['INVITE', { t: '<sip:a@b>' }, 'more than one To'],
    ['INVITE', { i: 'x' }, 'more than one Call-ID'],
    ['INVITE', { cseq: '1 INVITE' }, 'more than one CSeq'],
    ['INVITE', { 'max-forwards': '70' }, 'more than one Max-Forwards'],
    ['INVITE', { From: '' }, 'From'],
    ['INVITE', { From: '*' }, 'From'],
    ['INVITE', { To: '<sip:a@b>, <sip:c@d>' }, 'To'],
    ['INVITE', { 'Call-ID': 'a|b' }, 'Call-ID'],
    ['INVITE', { 'Call-ID': 'a b' }, 'Call-ID'],
    ['INVITE', { 'Call-ID': '' }, 'Call-ID'],
    ['INVITE', { CSeq: '1 OPTIONS' }, 'CSeq'],
    ['INVITE', { CSeq: '2147483648 INVITE' }, 'CSeq'],
    ['INVITE', { 'Max-Forwards': '256' }, 'Max-Forwards'],
    ['INVITE', { 'Max-Forwards': '-1' }, 'Max-Forwards'],
    ['INVITE', { Via: 'SIP/2.0/UDP h;branch=z9hG4bK1, ' }, 'Via'],
    ['INVITE', { Route: 'sip:a@b?c' }, 'Route'],
    ['INVITE', { 'Record-Route': '<sip:a@b>;;' }, 'Record-Route'],
  ] as [string, Record<string, string | null>, string][])(
    '%s with %j is refused',
    (method, changes, word) => {
      const rejection = validateRequest(request(method, changes));
      expect(rejection?.status).toBe(400);
      expect(rejection?.reason).toContain(word);
    },
  );

  it.each([
    ['INVITE sip:a@b?subject=x SIP/2.0', 400],
    ['INVITE sip:a@b:x SIP/2.0', 400],
    ['INVITE *  SIP/2.0', 400],
    ['INVITE sip:a@b', 'dropped'],
    ['INVITE sip:a@b SIP/2.1', 505],
    ['INVITE sip:a@b SIP/2', 400],
    ['INVITE mailto:a@b SIP/2.0', 416],
    ['INVITE tel:+15551234 SIP/2.0', 'handled'],
    ['INVITE sips:a@b sip/2.0', 'handled'],
    ['INVITE sip:j\xc3\xb6rg@b SIP/2.0', 400],
    ['IN|VITE sip:a@b SIP/2.0', 'dropped'],
  ] as const)('%j -> %s', (line, verdict) => {
    expect(judge(sip([line, ...requestLines().slice(1)])).verdict).toBe(verdict);
  });

  it('with a method that there is none of is not implemented; escapes and small letters make another method', () => {
    for (const method of ['NEWMETHOD', 'INV%49TE', 'INV%u0049TE', 'Invite', '100%']) {
      expect(validateRequest(request(method, {}))?.status, method).toBe(501);
    }
    expect(validateRequest(request('PUBLISH', {}))).toBeNull();
  });

  it('is never answered when it is an ACK or has no usable Via', () => {
    expect(isAnswerable(request('INVITE', {}))).toBe(true);
    expect(isAnswerable(request('ACK', {}))).toBe(false);
    expect(isAnswerable(request('INVITE', { Via: null }))).toBe(false);
    expect(isAnswerable(request('INVITE', { Via: 'nonsense' }))).toBe(false);
    expect(isAnswerable(request('INVITE', { Via: 'SIP/2.0/UDP 192.0.2.15;;,;,,' }))).toBe(true);
    expect(judge(sip(requestLines('ACK', { From: null }))).verdict).toBe('dropped');
    expect(judge(sip([...requestLines('ACK'), 'no header'])).verdict).toBe('dropped');
  });
});

describe('a response', () => {
  const validate = (line: string, changes: Record<string, string | null> = {}) => {
    const message = parseMessage(sip([line, ...requestLines('INVITE', changes).slice(1)]));
    return message.kind === 'response' ? validateResponse(message) : 'a request';
  };

  it('is handled without Contact and Max-Forwards', () => {
    expect(validate('SIP/2.0 200 OK', { Contact: null, 'Max-Forwards': null })).toBeNull();
  });

  it.each([
    ['SIP/2.0 200 OK', { To: null }],
    ['SIP/2.0 200 OK', { Via: null }],
    ['SIP/2.0 200 OK', { 'Call-ID': 'a|b' }],
    ['SIP/2.0 200 OK', { Contact: ';' }],
    ['SIP/2.0 200 OK', { CSeq: '1 INV%49TE' }],
    ['SIP/2.0 200 two\xe2\x80\xa8lines', {}],
  ] as [string, Record<string, string | null>][])('%j with %j is dropped', (line, changes) => {
    expect(validate(line, changes)).toEqual(expect.any(String));
  });

  it.each([
    'SIP/2.0 99 x',
    'SIP/2.0 700 x',
    'SIP/2.0 20 x',
    'SIP/2.0 2000 x',
    'SIP/2.0  200 x',
    'SIP/2.0 2x0 x',
  ])('%j does not parse', (line) => {
    expect(judge(sip([line, ...requestLines().slice(1)])).verdict).toBe('dropped');
  });
});

describe('what the application gets', () => {
  it('has no header under a name that it would decode', () => {
    const copy = forApplication(request('REGISTER', { 'C%6Fntact': '<sip:evil@b>', '50%-off': 'x' }));
    expect(copy.headers.map((field) => field.name)).not.toContain('C%6Fntact');
    expect(header(copy, '50%-off')).toBe('x');
  });

  it('has no optional header that does not parse', () => {
    const good = {
      'P-Asserted-Identity': '"B" <sip:b@c>, <tel:+1>',
      Authorization: 'Digest username="b", uri="sip:c", nonce=a/b+c==, qop=auth',
    };
    const bad = {
      'Refer-To': ';x',
      'Remote-Party-ID': '<sip:b@c',
      'Proxy-Authorization': 'Digest',
      'Referred-By': '',
      'WWW-Authenticate': 'Digest realm="a", ,b',
    };
    const copy = forApplication(request('INVITE', { ...good, ...bad, Subject: ';;' }));
    for (const [name, value] of Object.entries(good)) expect(header(copy, name)).toBe(value);
    for (const name of Object.keys(bad)) expect(header(copy, name), name).toBeUndefined();
    expect(header(copy, 'Subject')).toBe(';;');
  });

  it('has single spaces outside of quotes, and SIP in capitals in Via', () => {
    const source = request('INVITE', {
      To: '"a  \\"  b"  \t  <sip:a@b>   ;  x',
      Via: 'sip/2.0/udp h;rport;branch=z9hG4bK1 ,   SIP/2.0/TCP g',
    });
    const copy = forApplication(source);
    expect(header(copy, 'To')).toBe('"a  \\"  b" <sip:a@b> ; x');
    expect(headersOf(copy, 'Via')).toEqual(['SIP/2.0/UDP h;rport;branch=z9hG4bK1', 'SIP/2.0/TCP g']);
    expect(header(source, 'Via')).toContain('sip/2.0/udp');
  });

  it('is read by drachtio-srf where the message as it came is not', () => {
    const Message = createRequire(import.meta.url)('drachtio-srf/lib/sip-parser/message');
    const source = request('INVITE', { Via: 'sip/2.0/udp h;branch=z9hG4bK1' });
    const text = (message: SipRequest) =>
      `INVITE sip:a@b SIP/2.0\r\n${message.headers.map((field) => `${field.name}: ${field.value}\r\n`).join('')}\r\n`;
    expect(() => new Message(text(source)).getParsedHeader('via')).toThrow(TypeError);
    expect(new Message(text(forApplication(source))).getParsedHeader('via')).toMatchObject([{ host: 'h' }]);
  });
});
