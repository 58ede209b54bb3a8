import { describe, expect, test } from 'vitest';
import { clientMessages, readClientMessage } from '../../src/streams/client-messages.ts';

const audio = { encoding: 'mulaw', sample_rate_hz: 8000, payload: '//8=' };
const input = { type: 'audio.input', sequence: 7, timestamp_ms: 1, speaker: 'agent', audio };
const id = 'sess_01JQZX3M8T5VY7B2N4K6P9R1WC';

describe('what a Kallglot client says', () => {
  test('is one of three things', () => {
    expect(readClientMessage(input)).toEqual({
      type: 'audio',
      speaker: 'agent',
      sequence: 7,
      payload: '//8=',
    });
    expect(readClientMessage({ type: 'ping' })).toEqual({ type: 'ping' });
    expect(readClientMessage({ type: 'session.end' })).toEqual({ type: 'end' });
    expect(readClientMessage({ type: 'mute' })).toEqual({ type: 'unknown' });
  });

  test('may leave out what is only for order', () => {
    expect(readClientMessage({ type: 'audio.input', audio })).toEqual({
      type: 'audio',
      speaker: undefined,
      sequence: undefined,
      payload: '//8=',
    });
  });

  test.each([
    { ...audio, encoding: 'pcm_16' },
    { ...audio, sample_rate_hz: 16_000 },
    { ...audio, channels: 2 },
    { ...audio, payload: 7 },
    undefined,
    'mulaw',
  ])('is refused as a format when it is not mu-law at 8 kHz: %j', (wrong) => {
    expect(readClientMessage({ ...input, audio: wrong })).toMatchObject({
      type: 'invalid',
      code: 'invalid_audio_format',
    });
  });

  test.each([
    { ...input, speaker: 'boss' },
    { ...input, sequence: -1 },
    { ...input, sequence: 'x' },
    { ...input, type: undefined },
  ])('is refused as a message when something else of it is wrong', (wrong) => {
    expect(readClientMessage(wrong)).toMatchObject({ type: 'invalid', code: 'invalid_message' });
  });
});

test('a Kallglot client is told what the contract has', () => {
  const words = { speaker: 'customer', language: 'en', text: 'Hi', translation: undefined };
  const told = [
    clientMessages.ready(id),
    clientMessages.pong(id),
    clientMessages.error(id, 'role_taken', 'no'),
    clientMessages.ended(id, 'explicit_end'),
    clientMessages.transcript(id, { ...words, final: false }),
    clientMessages.transcript(id, { ...words, final: true, translation: { language: 'pt', text: 'Oi' } }),
    clientMessages.audio(3, 'customer', Buffer.from([255, 255])),
  ];
  const session_id = id;
  expect(told.map((text) => JSON.parse(text))).toEqual([
    { type: 'session.ready', session_id },
    { type: 'pong', session_id },
    { type: 'session.error', session_id, code: 'role_taken', message: 'no' },
    { type: 'session.ended', session_id, reason: 'explicit_end' },
    { type: 'transcript.partial', session_id, speaker: 'customer', language: 'en', text: 'Hi' },
    {
      ...{ type: 'transcript.final', session_id, speaker: 'customer', language: 'en', text: 'Hi' },
      translation: { language: 'pt', text: 'Oi' },
    },
    {
      ...{ type: 'audio.output', sequence: 3, speaker: 'customer' },
      audio: { encoding: 'mulaw', sample_rate_hz: 8000, payload: '//8=' },
    },
  ]);
});
