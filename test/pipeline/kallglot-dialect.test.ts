import { describe, expect, test } from 'vitest';
import { kallglotDialect } from '../../src/pipeline/kallglot-dialect.ts';
import { readMessage } from '../../src/pipeline/kallglot-messages.ts';
import { roles } from '../../src/roles.ts';

const read = (message: unknown, extensions = false) =>
  readMessage(Buffer.from(typeof message === 'string' ? message : JSON.stringify(message)), extensions);
const output = (audio: object, rest: object = {}) => ({
  type: 'audio.output',
  sequence: 1,
  speaker: 'customer',
  audio: { encoding: 'mulaw', sample_rate_hz: 8000, payload: 'AAAA', ...audio },
  ...rest,
});

const conversation = (extensions: boolean) =>
  kallglotDialect({ url: 'ws://pipeline/', tokenSecret: 'a-secret', chunkMs: 100, extensions }).connect(
    { sessionId: 'sess_A', mode: 'bidirectional_translation', sourceLanguage: null, targetLanguage: null },
    roles,
    0,
  );

test('what we send is what the contract shows', () => {
  const { speech, ping, end, legChange, markReached } = conversation(true);
  const chunk = { sequence: 7, timestampMs: 1_790_000_000_000, audio: Buffer.from([0xff, 0x00, 0x7f, 0x80]) };
  expect(JSON.parse(speech('agent', chunk) as string)).toEqual({
    type: 'audio.input',
    sequence: 7,
    timestamp_ms: 1_790_000_000_000,
    speaker: 'agent',
    audio: { encoding: 'mulaw', sample_rate_hz: 8000, payload: '/wB/gA==' },
  });
  expect(JSON.parse(ping() as string)).toEqual({ type: 'ping' });
  expect(JSON.parse(end() as string)).toEqual({ type: 'session.end' });
  expect(JSON.parse(legChange('agent', 'held') as string)).toEqual({
    type: 'leg',
    role: 'agent',
    state: 'held',
  });
  expect(JSON.parse(markReached('a "name"', true) as string)).toEqual({
    type: 'audio.mark',
    name: 'a "name"',
    played: true,
  });
});

describe('audio to be played', () => {
  const audio = {
    type: 'audio',
    speaker: 'customer',
    encoding: 'mulaw',
    sampleRateHz: 8000,
    payload: 'AAAA',
  };

  test('is read however its JSON is written', () => {
    const written = [
      JSON.stringify(output({})),
      JSON.stringify(output({}), null, 2),
      '{"type": "audio.output", "speaker": "customer", "audio": {"encoding": "mulaw", "sample_rate_hz": 8000, "payload": "AAAA"}}',
      '{"audio":{"payload":"AAAA","sample_rate_hz":8000,"encoding":"mulaw"},"speaker":"customer","type":"audio.output"}',
      '{"type":"audio.output","speaker":"customer","audio":{"payload":"\\u0041AAA","encoding":"mulaw","sample_rate_hz":8000}}',
      '{"type":"audio.output","note":{"payload":""},"speaker":"customer","audio":{"encoding":"mulaw","sample_rate_hz":8000,"payload":"AAAA"}}',
      '{"type":"audio.output","payload":17,"speaker":"customer","audio":{"encoding":"mulaw","sample_rate_hz":8000,"payload":"AAAA"}}',
    ];
    for (const text of written) expect(read(text), text).toEqual(audio);
  });

  test('a slash may be escaped, as PHP does', () => {
    const text = JSON.stringify(output({ payload: 'AA/A' })).replaceAll('/', '\\/');
    expect(read(text)).toEqual({ ...audio, payload: 'AA/A' });
  });

  test('comes in three encodings and four rates', () => {
    for (const encoding of ['mulaw', 'alaw', 'pcm_16']) {
      for (const rate of [8000, 16_000, 24_000, 48_000]) {
        expect(read(output({ encoding, sample_rate_hz: rate }))).toEqual({
          ...audio,
          encoding,
          sampleRateHz: rate,
        });
      }
    }
  });

  test('the earlier form is understood', () => {
    const earlier = { type: 'audio', data: 'AAAA', encoding: 'pcm_16', sample_rate: 16_000 };
    expect(read(earlier)).toEqual({
      type: 'audio',
      speaker: undefined,
      encoding: 'pcm_16',
      sampleRateHz: 16_000,
      payload: 'AAAA',
    });
    expect(read({ ...earlier, speaker: 'agent', channels: 1 })).toMatchObject({ speaker: 'agent' });
    expect(read({ ...earlier, channels: 2 }).type).toBe('invalid');
  });

  test('anything else is invalid', () => {
    const wrong = [
      output({ encoding: 'opus' }),
      output({ sample_rate_hz: 44_100 }),
      output({ sample_rate_hz: '8000' }),
      output({ payload: 5 }),
      output({ payload: null }),
      output({ channels: 2 }),
      output({}, { audio: 'AAAA' }),
      output({}, { speaker: 5 }),
      output({}, { speaker: 'x'.repeat(41) }),
      { type: 'audio.output' },
    ];
    for (const message of wrong) expect(read(message).type, JSON.stringify(message)).toBe('invalid');
  });
});

test('the session’s life', () => {
  expect(read({ type: 'session.ready', anything: 1 })).toEqual({ type: 'ready' });
  expect(read({ type: 'pong', session_id: 'sess_A' })).toEqual({ type: 'pong' });
  expect(read({ type: 'session.ended', session_id: 'sess_A', reason: 'explicit_end' })).toEqual({
    type: 'ended',
    reason: 'explicit_end',
  });
  expect(read({ type: 'session.ended' })).toEqual({ type: 'ended', reason: 'unknown' });
});

test('an error is read with its code in the message or in an object', () => {
  const error = { type: 'error', code: 'invalid_audio_format', message: 'no' };
  expect(read({ type: 'session.error', code: 'invalid_audio_format', message: 'no' })).toEqual(error);
  expect(read({ type: 'session.error', error: { code: 'invalid_audio_format', message: 'no' } })).toEqual(
    error,
  );
  expect(read({ type: 'session.error', code: 'x' })).toEqual({ type: 'error', code: 'x', message: '' });
  expect(read({ type: 'session.error' }).type).toBe('invalid');
});

test('a transcript is read with what is beside its text', () => {
  const message = {
    type: 'transcript.final',
    speaker: 'agent',
    text: 'Grüße "payload":"x" 你好',
    translation: 'Hello',
    payload: 'ignored',
  };
  const nothing = { id: undefined, language: undefined };
  expect(read(message)).toEqual({
    type: 'transcript',
    final: true,
    speaker: 'agent',
    text: message.text,
    ...nothing,
    translation: { language: undefined, text: 'Hello' },
  });
  const whole = { id: 7, language: 'de', translation: { language: 'en-GB', text: 'Hello', extra: 1 } };
  expect(read({ ...message, ...whole })).toMatchObject({
    id: '7',
    language: 'de',
    translation: { language: 'en-GB', text: 'Hello' },
  });
  expect(read({ ...message, type: 'transcript.partial' })).toMatchObject({ final: false });
  expect(read({ type: 'transcript.final', speaker: 'agent' }).type).toBe('invalid');
});

test('of a transcript an unusable field costs itself only, and a text has its bound', () => {
  const message = { type: 'transcript.final', speaker: 'agent', text: 'Hallo' };
  const unusable = [
    { id: null, language: null, translation: null },
    { id: '', language: '', translation: '' },
    { id: 'x'.repeat(201), language: 'x'.repeat(36), translation: 'x'.repeat(20_001) },
    { id: {}, language: 7, translation: { language: 'en' } },
    { translation: ['Hello'] },
    { translation: { text: '' } },
  ];
  for (const fields of unusable)
    expect(read({ ...message, ...fields }), JSON.stringify(fields).slice(0, 60)).toEqual({
      ...{ type: 'transcript', final: true, speaker: 'agent', text: 'Hallo' },
      ...{ id: undefined, language: undefined, translation: undefined },
    });
  expect(read({ ...message, translation: { language: 7, text: 'Hello' } })).toMatchObject({
    translation: { language: undefined, text: 'Hello' },
  });
  expect(read({ ...message, text: 'x'.repeat(20_000) }).type).toBe('transcript');
  expect(read({ ...message, text: 'x'.repeat(20_001) }).type).toBe('invalid');
});

test('extensions are unknown unless they are on', () => {
  const clear = { type: 'audio.clear', speaker: 'agent' };
  const mark = { type: 'audio.mark', name: 'end', speaker: 'agent' };
  expect(read(clear)).toEqual({ type: 'unknown' });
  expect(read(mark)).toEqual({ type: 'unknown' });
  expect(read(clear, true)).toEqual({ type: 'clear', speaker: 'agent' });
  expect(read(mark, true)).toEqual({ type: 'mark', name: 'end', speaker: 'agent' });
  expect(read({ ...mark, name: 'x'.repeat(201) }, true).type).toBe('invalid');
});

test('other types are unknown, and what is no message is invalid', () => {
  expect(read({ type: 'something.new' })).toEqual({ type: 'unknown' });
  expect(read({ type: 'constructor' })).toEqual({ type: 'unknown' });
  const wrong = [
    '',
    'x',
    '{',
    '{"type":',
    'null',
    '5',
    '"text"',
    '[]',
    '{}',
    '{"type":7}',
    '"payload":"',
    '[['.repeat(50_000),
  ];
  for (const text of [...wrong, '"audio.output""payload":"AA"', '"audio.output" "payload']) {
    expect(read(text).type, text.slice(0, 40)).toBe('invalid');
  }
  expect(readMessage(Buffer.from([0xff, 0xfe, 0x00, 0x7b]), false).type).toBe('invalid');
  const latin1 = '{"type":"transcript.final","speaker":"agent","text":"Gr\xfc\xdfe"}';
  expect(readMessage(Buffer.from(latin1), false)).toMatchObject({ text: 'Grüße' });
  expect(readMessage(Buffer.from(latin1, 'latin1'), false)).toEqual({
    type: 'invalid',
    problem: 'not UTF-8',
  });
});

test('a message that is not audio may have 64 KiB', () => {
  const transcript = (padding: number) => ({
    type: 'transcript.final',
    speaker: 'agent',
    text: 'hello',
    more: 'x'.repeat(padding),
  });
  expect(read(transcript(60_000)).type).toBe('transcript');
  expect(read(transcript(70_000))).toMatchObject({
    type: 'invalid',
    problem: expect.stringContaining('65536'),
  });
});
