import { describe, expect, it } from 'vitest';
import { newStats } from '../../src/sip-engine/stats.ts';
import { defaultTraceLimits, Trace, type TraceLimits } from '../../src/sip-engine/trace.ts';
import { formatTrace } from '../../src/sip-engine/trace-text.ts';
import { callIdOf } from '../../src/sip-engine/wire-message.ts';
import { FakeEngineClock } from '../support/engine-clock.ts';
import { request, SDP } from '../support/engine-harness.ts';
import { onWire } from '../support/wire.ts';

function made(limits: Partial<TraceLimits> = {}) {
  const clock = new FakeEngineClock();
  const stats = newStats();
  const up = new Set<string>();
  const trace = new Trace(clock, stats, (callId) => up.has(callId), { ...defaultTraceLimits, ...limits });
  const add = (callId: string, cseq = 1) => trace.add(onWire(request({ callId, cseq })));
  const known = (...callIds: string[]) => callIds.filter((callId) => trace.of(callId) !== undefined).join('');
  return { clock, stats, up, trace, add, known };
}

const cseqs = (trace: Trace, callId: string) =>
  trace.of(callId)?.messages.map(({ text }) => Number(/CSeq: (\d+)/.exec(text)?.[1]));

describe('the messages of a call', () => {
  it('are kept in their order, apart from those of others', () => {
    const { trace, add } = made();
    add('a', 1);
    add('b', 1);
    add('a', 2);
    expect(cseqs(trace, 'a')).toEqual([1, 2]);
    expect(cseqs(trace, 'b')).toEqual([1]);
    expect(trace.of('c')).toBeUndefined();
  });

  it('are the last ones when there are too many, and it is told how many came before', () => {
    const { trace, add } = made({ messagesPerCall: 3 });
    for (let cseq = 1; cseq <= 5; cseq++) add('a', cseq);
    expect(cseqs(trace, 'a')).toEqual([3, 4, 5]);
    expect(trace.of('a')?.earlier).toBe(2);
  });

  it('are known for a while after the last one, and for as long as the call is up', () => {
    const { clock, up, add, known } = made({ keepMs: 60_000 });
    up.add('a');
    add('a');
    add('b');
    clock.advance(59_999);
    expect(known('a', 'b')).toBe('ab');
    clock.advance(1);
    expect(known('a', 'b')).toBe('a');
    up.delete('a');
    expect(known('a')).toBe('');
  });
});

describe('when there is no more room', () => {
  it('the calls that were silent for longest go, and are counted', () => {
    const { stats, add, known } = made({ calls: 40 });
    const callIds = Array.from('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN');
    for (const callId of callIds) add(callId);
    expect(known(...callIds)).toBe(callIds.join(''));
    add('new');
    // Each spoke once: all are passed over, and then the oldest go, a few at a time.
    expect(known(...callIds, 'new')).toBe(`${callIds.slice(3).join('')}new`);
    expect(stats.tracesDropped).toBe(3);
    add('d');
    for (const callId of ['1', '2', '3']) add(callId);
    expect(known('d', 'e')).toBe('d');
  });

  it('calls that are up stay', () => {
    const { up, add, known } = made({ calls: 40 });
    up.add('first');
    add('first');
    for (let i = 0; i < 1_000; i++) add(`-${i}`);
    expect(known('first', '-0', '-999')).toBe('first-999');
  });

  it('bytes are bounded, whatever is up', () => {
    const { up, trace, stats, known } = made({ bytes: 100_000 });
    for (let i = 0; i < 100; i++) {
      up.add(`-${i}`);
      trace.add(onWire(request({ callId: `-${i}`, extra: `X: ${'x'.repeat(8_000)}\r\n` })));
    }
    expect(known('-0', '-99')).toBe('-99');
    expect(stats.tracesDropped).toBeGreaterThanOrEqual(87);
  });

  it('what is over for long makes room by itself, without being counted', () => {
    const { clock, stats, trace, add } = made({ keepMs: 60_000, bytes: 100_000 });
    for (let i = 0; i < 50; i++) add(`${i}`);
    clock.advance(60_000);
    for (let i = 50; i < 100; i++) add(`${i}`);
    expect(trace.of('99')).toBeDefined();
    expect(stats.tracesDropped).toBe(0);
  });
});

describe('the Call-ID', () => {
  it.each([
    ['Call-ID: a@b\r\n', 'a@b'],
    ['i:a@b\r\n', 'a@b'],
    ['CALL-ID  :  a b \r\n', 'a b'],
    ['call-id: a@b', 'a@b'],
    ['X: y\nCall-ID: a@b\n', 'a@b'],
  ])('is found in %j', (line, callId) => {
    expect(callIdOf(`BYE sip:x SIP/2.0\r\n${line}`)).toBe(callId);
  });

  it('may be missing', () => {
    expect(callIdOf('hello')).toBeUndefined();
    expect(callIdOf('BYE sip:x SIP/2.0\r\nCall-ID: \r\n\r\n')).toBeUndefined();
  });
});

describe('as text', () => {
  const at = Date.UTC(2026, 0, 1, 12);

  it('a line for each message comes first, then the messages, without secrets', () => {
    const invite = request({ extra: 'Authorization: Digest username="a", response="SECRET"\r\n', body: SDP });
    const trying = 'SIP/2.0 100 Trying\r\nCall-ID: call@peer\r\nCSeq: 1 INVITE\r\n\r\n';
    const messages = [onWire(invite, 'in', at), onWire(trying, 'out', at + 1_234)];
    const lines = formatTrace('call@peer', { messages, earlier: 7 }).split('\n');
    expect(lines.slice(0, 7)).toEqual([
      'Call-ID: call@peer',
      '2 messages (7 before them are not kept)',
      '',
      '  1    +0.000  198.51.100.7:5060 --> 192.0.2.1:5060  udp  INVITE sip:us@192.0.2.1 (SDP)',
      '  2    +1.234  198.51.100.7:5060 <-- 192.0.2.1:5060  udp  100 Trying (INVITE)',
      '',
      '--- 1  2026-01-01T12:00:00.000Z  198.51.100.7:5060 --> 192.0.2.1:5060  udp',
    ]);
    expect(lines).toContain('Authorization: Digest username="a", response="***"');
    expect(lines).toContain('m=audio 40000 RTP/AVP 0');
    expect(lines).toContain('SIP/2.0 100 Trying');
  });

  it('shows characters as they were meant, and nothing that a terminal would obey', () => {
    const text = 'OPTIONS sip:x SIP/2.0\r\nSubject: J\u00fcrgen \u001b[2J\u009b31m\r\n\r\n';
    const shown = formatTrace('a', { messages: [onWire(text, 'in', at)], earlier: 0 });
    expect(shown).toContain('Subject: Jürgen ?[2J?31m\n');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(shown).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
  });
});
