import { describe, expect, it } from 'vitest';
import { limits } from '../../src/sip-engine/limits.ts';
import {
  addHeader,
  header,
  headersOf,
  parseMessage,
  removeHeader,
  SipParseError,
  serializeMessage,
  setHeader,
  splitList,
} from '../../src/sip-engine/message.ts';
import { judge, requestLines, sip } from './verdict.ts';

const invite = (changes: Record<string, string | null> = {}, body = '') =>
  sip(requestLines('INVITE', changes), body);

function parseError(bytes: Buffer): SipParseError {
  try {
    parseMessage(bytes);
  } catch (error) {
    if (error instanceof SipParseError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('text', () => {
  it('is latin1 inside and the same UTF-8 bytes outside', () => {
    const utf8 = Buffer.from('"Jörg 大" <sip:j@example.com>;tag=1');
    const bytes = invite({
      From: utf8.toString('latin1'),
      'X-Note': Buffer.from('naïve €').toString('latin1'),
    });
    const written = serializeMessage(parseMessage(bytes));
    expect(written.includes(utf8)).toBe(true);
    expect(written.toString()).toContain('X-Note: naïve €');
  });

  it('keeps bytes that are no UTF-8, and white space that is not SIP’s', () => {
    const value = '\xa0\xff\x85 \x0b';
    expect(header(parseMessage(invite({ 'X-Raw': value })), 'X-Raw')).toBe(value);
  });

  it('keeps a body of any bytes', () => {
    const body = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const message = parseMessage(Buffer.concat([invite({ 'Content-Length': '256' }), body]));
    expect(serializeMessage(message).subarray(-256)).toEqual(body);
  });

  it('refuses to write line ends or characters that are not bytes', () => {
    const message = parseMessage(invite());
    for (const value of ['a\r\nX: y', 'a\nb', '€']) {
      setHeader(message, 'Subject', value);
      expect(() => serializeMessage(message)).toThrow(TypeError);
    }
  });
});

describe('line ends', () => {
  it.each([
    ['a bare LF in a header', invite({ Subject: 'a\nVia: SIP/2.0/UDP evil' }), 400],
    ['a bare CR in a header', invite({ Subject: 'a\rb' }), 400],
    ['no blank line', Buffer.from(requestLines().join('\r\n')), 400],
    ['bare LF everywhere', Buffer.from(`${requestLines().join('\n')}\n\n`), 'dropped'],
  ] as const)('%s is refused', (_name, bytes, verdict) => {
    expect(judge(bytes).verdict).toBe(verdict);
  });

  it('in front of the start line are skipped', () => {
    expect(judge(Buffer.concat([Buffer.from('\r\n\r\n'), invite()])).verdict).toBe('handled');
  });
});

describe('a 400', () => {
  it('can be answered with headers that stand behind the bad line', () => {
    const error = parseError(
      sip(['INVITE sip:bob@example.com SIP/2.0', ': nothing', ...requestLines().slice(1)]),
    );
    expect(error.status).toBe(400);
    expect(header(error.partial!, 'Call-ID')).toBe('a84b4c76e66710@pc33.example.com');
    expect(headersOf(error.partial!, 'Via')).toHaveLength(1);
  });

  it('has nothing to answer for responses and for what is not SIP', () => {
    expect(parseError(Buffer.from('SIP/2.0 99 \r\n\r\n')).partial).toBeUndefined();
    expect(parseError(Buffer.from('hello\r\n\r\n')).partial).toBeUndefined();
    expect(parseError(Buffer.alloc(0)).partial).toBeUndefined();
  });
});

describe('Content-Length', () => {
  it('cuts off what stands behind the body, and may be left out of a datagram', () => {
    expect(parseMessage(invite({ 'Content-Length': '2' }, 'abc')).body.toString()).toBe('ab');
    expect(parseMessage(invite({}, 'abc')).body.toString()).toBe('abc');
  });

  it.each(['4', '-1', '1x', '', '0x2', '1e1', '99999999999999999999'])('of %j is refused', (value) => {
    expect(judge(invite({ 'Content-Length': value }, 'abc')).verdict).toBe(400);
  });

  it('is written right, in its place', () => {
    const message = parseMessage(invite({ l: '3', Subject: 'x' }, 'abc'));
    message.body = Buffer.from('hello');
    expect(serializeMessage(message).toString()).toMatch(/\r\nContent-Length: 5\r\nSubject: x\r\n\r\nhello$/);
  });
});

describe('the caps', () => {
  const many = (count: number, line: string) => Array.from({ length: count }, () => line);
  const spare = requestLines().length - 1;

  it.each([
    ['200 headers', sip([...requestLines(), ...many(limits.headers - spare, 'X: y')]), 'handled'],
    ['201 headers', sip([...requestLines(), ...many(limits.headers - spare + 1, 'X: y')]), 513],
    ['a line of 4 kB', invite({ Subject: 'x'.repeat(limits.line - 'Subject: '.length) }), 'handled'],
    ['a longer line', invite({ Subject: 'x'.repeat(limits.line - 'Subject: '.length + 1) }), 513],
    ['a longer folded line', invite({ Subject: `x${'\r\n x'.repeat(1100)}` }), 513],
    [
      'a Contact of 2 kB',
      invite({ Contact: `<sip:a@b>;x="${'y'.repeat(limits.structuredValue - 14)}"` }),
      'handled',
    ],
    [
      'a longer Contact',
      invite({ Contact: `<sip:a@b>;x="${'y'.repeat(limits.structuredValue - 13)}"` }),
      513,
    ],
    ['a longer Call-ID', invite({ i: 'x'.repeat(limits.structuredValue + 1), 'Call-ID': null }), 513],
    [
      '40 Via values',
      invite({
        v: Array(limits.vias - 1)
          .fill('SIP/2.0/UDP h')
          .join(','),
      }),
      'handled',
    ],
    ['41 Via values', invite({ v: Array(limits.vias).fill('SIP/2.0/UDP h').join(',') }), 513],
    ['a body at its cap', invite({}, 'x'.repeat(limits.body)), 'handled'],
    ['a longer body', invite({}, 'x'.repeat(limits.body + 1)), 513],
    ['a longer message', invite({}, 'x'.repeat(limits.message)), 513],
    [
      'a long multipart body',
      invite({ c: 'multipart/mixed;boundary=b' }, 'x'.repeat(limits.multipartBody + 1)),
      513,
    ],
    ['a long URI', invite({ From: `<sip:${'a'.repeat(limits.uri)}@b>;tag=1` }), 400],
    [
      'a long Request-URI',
      sip([`INVITE sip:${'a'.repeat(limits.uri)}@b SIP/2.0`, ...requestLines().slice(1)]),
      513,
    ],
  ] as const)('%s -> %s', (_name, bytes, verdict) => {
    expect(judge(bytes).verdict).toBe(verdict);
  });
});

describe('headers', () => {
  it('are found by any spelling and compact form', () => {
    const message = parseMessage(invite({ k: 'timer', o: 'talk', x: '90', 'x-Custom': 'kept' }));
    expect(header(message, 'SUPPORTED')).toBe('timer');
    expect(header(message, 's')).toBeUndefined();
    expect(header(message, 'event')).toBe('talk');
    expect(header(message, 'Session-Expires')).toBe('90');
    expect(message.headers.map((field) => field.name)).toContain('x-Custom');
    expect(header(message, 'X-CUSTOM')).toBe('kept');
  });

  it('are split only where the grammar has lists', () => {
    const message = parseMessage(
      invite({
        Supported: 'timer, 100rel,,replaces',
        Route: '"a, b" <sip:p1,x;lr>, <sip:p2;lr>',
        Subject: 'one, two',
        Date: 'Sat, 13 Nov 2010 23:29:00 GMT',
      }),
    );
    expect(headersOf(message, 'k')).toEqual(['timer', '100rel', 'replaces']);
    expect(headersOf(message, 'Route')).toEqual(['"a, b" <sip:p1,x;lr>', '<sip:p2;lr>']);
    expect(headersOf(message, 'Subject')).toEqual(['one, two']);
    expect(headersOf(message, 'Date')).toHaveLength(1);
    expect(splitList('"\\",", b')).toEqual(['"\\","', 'b']);
  });

  it('are set in place, added last and removed', () => {
    const message = parseMessage(invite({ Subject: 'a', s: 'b', Priority: 'urgent' }));
    setHeader(message, 'subject', 'c');
    expect(headersOf(message, 'Subject')).toEqual(['c']);
    expect(message.headers.at(-1)?.name).toBe('Priority');
    addHeader(message, 'k', 'timer');
    expect(message.headers.at(-1)).toEqual({ name: 'Supported', value: 'timer' });
    removeHeader(message, 's');
    expect(header(message, 'Subject')).toBeUndefined();
    setHeader(message, 'Subject', 'd');
    expect(message.headers.at(-1)).toEqual({ name: 'Subject', value: 'd' });
  });

  it('named like members of Object are headers like others', () => {
    const message = parseMessage(invite({ ['__proto__' as string]: 'x', constructor: 'y' }));
    expect(header(message, 'constructor')).toBe('y');
    expect(header(message, 'hasOwnProperty')).toBeUndefined();
  });
});
