import { describe, expect, test } from 'vitest';
import { readCarrierMessage } from '../../src/streams/carrier-messages.ts';
import { readFrame, type StreamMessage } from '../../src/streams/stream-message.ts';
import { telnyxWords } from '../../src/streams/telnyx-messages.ts';
import { twilioWords } from '../../src/streams/twilio-messages.ts';
import telnyx from '../fixtures/carriers/telnyx-stream.json' with { type: 'json' };
import twilio from '../fixtures/carriers/twilio-stream.json' with { type: 'json' };

const { from_twilio, to_twilio } = twilio;
const { from_telnyx, to_telnyx } = telnyx;
const read = (message: object): StreamMessage => readCarrierMessage(message as Record<string, unknown>);
const audio = Buffer.from('no+JhoaJjpw=', 'base64');
const speech = { type: 'audio', speaker: undefined, sequence: 2, payload: 'no+JhoaJjpw=' };

describe('what Twilio says', () => {
  test('is read as its documentation shows it', () => {
    expect(read(from_twilio.connected)).toEqual({ type: 'ignored' });
    expect(read(from_twilio.media_inbound)).toEqual(speech);
    expect(read(from_twilio.media_outbound)).toEqual({ type: 'ignored' });
    expect(read(from_twilio.dtmf)).toEqual({ type: 'digit', digit: '1' });
    expect(read(from_twilio.mark)).toEqual({ type: 'mark', name: 'my label' });
    expect(read(from_twilio.stop)).toEqual({ type: 'stop' });
  });

  test('begins with who it is and what its TwiML gave it', () => {
    const given = { token: 'kst_test_a.b', session_id: 'sess_1', role: 'agent', from: '+14155550100' };
    const { start } = from_twilio;
    const message = {
      ...start,
      start: { ...start.start, customParameters: { ...given, FirstName: 'Jane' } },
    };
    expect(read(message)).toEqual({
      type: 'start',
      start: {
        provider: 'twilio',
        streamId: start.streamSid,
        callId: start.start.callSid,
        codec: 'PCMU',
        from: '+14155550100',
        to: undefined,
        token: 'kst_test_a.b',
        sessionId: 'sess_1',
        role: 'agent',
      },
    });
  });

  test.each([
    ['no start', { event: 'start' }],
    [
      'a format that Twilio does not have',
      {
        ...from_twilio.start,
        start: {
          ...from_twilio.start.start,
          mediaFormat: { encoding: 'opus', sampleRate: 48_000, channels: 2 },
        },
      },
    ],
    ['no payload', { event: 'media', media: {} }],
    ['media that is no object', { event: 'media', media: 'x' }],
    ['a key that no phone has', { event: 'dtmf', dtmf: { digit: 'x' } }],
    ['a mark without a name', { event: 'mark', mark: {} }],
    ['two keys at once', { event: 'dtmf', dtmf: { digit: '12' } }],
  ])('costs itself when it has %s', (_what, message) => {
    expect(read(message).type).toBe('invalid');
  });

  test('may be of types that are not known yet', () => {
    expect(read({ event: 'video' })).toEqual({ type: 'unknown' });
    expect(read({ event: 7 })).toEqual({ type: 'unknown' });
  });
});

describe('what Telnyx says', () => {
  test('is read as its documentation shows it', () => {
    expect(read(from_telnyx.connected)).toEqual({ type: 'ignored' });
    expect(read(from_telnyx.media)).toEqual(speech);
    expect(read(from_telnyx.dtmf)).toEqual({ type: 'digit', digit: '1' });
    expect(read(from_telnyx.mark)).toEqual({ type: 'mark', name: 'greeting-end' });
    expect(read(from_telnyx.stop)).toEqual({ type: 'stop' });
    expect(read(from_telnyx.error)).toEqual({
      type: 'complaint',
      problem: `100003 malformed_frame ${from_telnyx.error.payload.detail}`,
    });
  });

  test('begins with who calls whom, in which law, and what its TeXML gave it', () => {
    const { start } = from_telnyx;
    const format = { encoding: 'PCMA', sample_rate: 8000, channels: 1 };
    const given = { token: 'kst_test_a.b', session_id: 'sess_1', role: 'customer' };
    expect(
      read({ ...start, start: { ...start.start, media_format: format, custom_parameters: given } }),
    ).toEqual({
      type: 'start',
      start: {
        provider: 'telnyx',
        streamId: start.stream_id,
        callId: start.start.call_control_id,
        codec: 'PCMA',
        from: '+13122010094',
        to: '+13122123456',
        token: 'kst_test_a.b',
        sessionId: 'sess_1',
        role: 'customer',
      },
    });
    expect(read(start)).toMatchObject({ type: 'start', start: { codec: 'PCMU', token: undefined } });
  });

  test('is not taken in a codec that is not spoken here', () => {
    const { start } = from_telnyx;
    const format = { encoding: 'OPUS', sample_rate: 16_000, channels: 1 };
    expect(read({ ...start, start: { ...start.start, media_format: format } }).type).toBe('invalid');
  });
});

describe('what carriers are told', () => {
  test('has the form that their documentation shows', () => {
    const toTwilio = twilioWords(to_twilio.media.streamSid);
    expect(JSON.parse(toTwilio.audio(audio))).toEqual(to_twilio.media);
    expect(JSON.parse(toTwilio.mark('my label'))).toEqual(to_twilio.mark);
    expect(JSON.parse(toTwilio.clear())).toEqual(to_twilio.clear);
    expect(JSON.parse(telnyxWords.audio(audio))).toEqual(to_telnyx.media);
    expect(JSON.parse(telnyxWords.mark('greeting-end'))).toEqual(to_telnyx.mark);
    expect(JSON.parse(telnyxWords.clear())).toEqual(to_telnyx.clear);
  });

  test('stays JSON whatever a stream calls itself', () => {
    expect(JSON.parse(twilioWords('"},{').audio(audio))).toMatchObject({ streamSid: '"},{' });
  });
});

test.each(['', 'x', '[]', '7', 'null', '"start"', '{'])(
  'a frame that is no JSON object is none: %s',
  (text) => {
    expect(readFrame(Buffer.from(text))).toBeUndefined();
  },
);
