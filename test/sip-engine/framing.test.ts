import { describe, expect, it } from 'vitest';
import { type StreamEvent, StreamFramer } from '../../src/sip-engine/framing.ts';
import { limits } from '../../src/sip-engine/limits.ts';
import { isAnswerable } from '../../src/sip-engine/validate.ts';
import { fixture, requestLines, sip } from './verdict.ts';

const withBody = (body: string, callId = 'one'): Buffer =>
  sip([...requestLines('INVITE', { 'Call-ID': callId }), `Content-Length: ${body.length}`], body);
const options = (callId: string): Buffer => sip([...requestLines('OPTIONS', { 'Call-ID': callId }), 'l: 0']);

/** What came out, in short: `one 5`, `ping`, `400 fatal`. */
function summary(events: StreamEvent[]): string[] {
  return events.map((event) => {
    if (event.kind === 'ping') return 'ping';
    if (event.kind === 'error') return `${event.error.status}${event.fatal ? ' fatal' : ''}`;
    const callId = event.message.headers.find((field) => field.name === 'Call-ID')?.value;
    return `${callId} ${event.message.body.length}`;
  });
}

const stream = Buffer.concat([
  Buffer.from('\r\n\r\n'),
  withBody('hello', 'one'),
  Buffer.from('\r\n\r\n'),
  options('two'),
  withBody('\r\n\r\nINVITE sip:x SIP/2.0\r\n', 'three'),
  Buffer.from('\r\n\r\n\r\n'),
  options('four'),
]);
const expected = ['ping', 'one 5', 'ping', 'two 0', 'three 26', 'ping', 'four 0'];

describe('a stream of messages and keep-alives', () => {
  it('is cut the same in one piece and byte by byte', () => {
    expect(summary(new StreamFramer().feed(stream))).toEqual(expected);
    const framer = new StreamFramer();
    const events = [...stream].flatMap((byte) => framer.feed(Buffer.from([byte])));
    expect(summary(events)).toEqual(expected);
  });

  it('is cut the same at every split in two', () => {
    for (let cut = 0; cut <= stream.length; cut++) {
      const framer = new StreamFramer();
      const events = [...framer.feed(stream.subarray(0, cut)), ...framer.feed(stream.subarray(cut))];
      expect(summary(events), `cut at ${cut}`).toEqual(expected);
    }
  });

  it('keeps no reference to the bytes that the socket reads into', () => {
    const chunk = Buffer.from(withBody('hello'));
    const events = new StreamFramer().feed(chunk);
    chunk.fill(0);
    expect(events[0]?.kind === 'message' && events[0].message.body.toString()).toBe('hello');
  });

  it('takes a folded and a compact Content-Length (wsinv)', () => {
    const wsinv = fixture('wsinv');
    expect(summary(new StreamFramer().feed(Buffer.concat([wsinv, options('next')])))).toEqual([
      'wsinv.ndaksdj@192.0.2.1 150',
      'next 0',
    ]);
  });

  it('reads a single CRLF as nothing', () => {
    expect(new StreamFramer().feed(Buffer.from('\r\n'))).toEqual([]);
    expect(summary(new StreamFramer().feed(Buffer.concat([Buffer.from('\r\n'), options('a')])))).toEqual([
      'a 0',
    ]);
  });
});

describe('a message that cannot be read', () => {
  it('costs only itself when its end is known', () => {
    const bad = sip([...requestLines('OPTIONS'), 'no colon here', 'Content-Length: 3'], 'abc');
    const events = new StreamFramer().feed(Buffer.concat([options('a'), bad, options('b')]));
    expect(summary(events)).toEqual(['a 0', '400', 'b 0']);
    expect(events[1]?.kind === 'error' && isAnswerable(events[1].error.partial!)).toBe(true);
  });

  it.each([
    ['no Content-Length', sip(requestLines('OPTIONS')), '400 fatal'],
    ['a negative one', sip([...requestLines('OPTIONS'), 'Content-Length: -1']), '400 fatal'],
    ['two of them', sip([...requestLines('OPTIONS'), 'Content-Length: 0', 'l: 0']), '400 fatal'],
    ['a body over the cap', sip([...requestLines('OPTIONS'), `l: ${limits.body + 1}`]), '513 fatal'],
    ['no SIP at all', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), '400 fatal'],
    ['headers without end', Buffer.from(`OPTIONS sip:a SIP/2.0\r\n${'X: y\r\n'.repeat(4000)}`), '513 fatal'],
    ['one endless line', Buffer.alloc(50_000, 'a'), '513 fatal'],
  ])('ends the stream: %s', (_name, bytes, verdict) => {
    const framer = new StreamFramer();
    expect(summary(framer.feed(bytes))).toEqual([verdict]);
    expect(framer.feed(options('after'))).toEqual([]);
  });

  it('gives what is needed to answer before the connection is closed', () => {
    const [event] = new StreamFramer().feed(sip(requestLines('INVITE')));
    expect(event?.kind === 'error' && event.error.partial).toMatchObject({ method: 'INVITE' });
    expect(event?.kind === 'error' && isAnswerable(event.error.partial!)).toBe(true);
  });

  it('refuses head and body that together are over the cap, before the body comes', () => {
    const head = sip([
      ...requestLines('OPTIONS'),
      ...Array.from({ length: 10 }, (_, i) => `X-${i}: ${'y'.repeat(600)}`),
      `Content-Length: ${limits.body}`,
    ]);
    expect(summary(new StreamFramer().feed(head))).toEqual(['513 fatal']);
  });
});
