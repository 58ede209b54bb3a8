import assert from 'node:assert/strict';
import { decodeBase64 } from '../../src/audio/base64.ts';
import { dtmfDigits } from '../../src/dtmf.ts';
import { readCarrierMessage } from '../../src/streams/carrier-messages.ts';
import { readClientMessage } from '../../src/streams/client-messages.ts';
import { readFrame, type StreamMessage } from '../../src/streams/stream-message.ts';
import { readConnectRequest } from '../../src/streams/upgrade.ts';
import telnyx from '../fixtures/carriers/telnyx-stream.json' with { type: 'json' };
import twilio from '../fixtures/carriers/twilio-stream.json' with { type: 'json' };
import { type Target, target } from './fuzz.ts';
import { formPieces, jsonPieces, mutateBytes } from './mutate.ts';
import { pick } from './random.ts';

/** What comes by the WebSockets of sessions' streams. */

const audio = { encoding: 'mulaw', sample_rate_hz: 8000, payload: 'no+JhoaJjpw=' };
const ofClients = [
  { type: 'audio.input', sequence: 7, timestamp_ms: 1, speaker: 'agent', audio },
  { type: 'ping' },
  { type: 'session.end' },
];
const messages = [
  ...ofClients,
  ...Object.values(twilio.from_twilio),
  ...Object.values(telnyx.from_telnyx),
].map((message) => Buffer.from(JSON.stringify(message)));
const room = Buffer.alloc(1024);

function assertSound(message: StreamMessage): boolean {
  if (message.type === 'audio') {
    assert(
      message.sequence === undefined || (Number.isSafeInteger(message.sequence) && message.sequence >= 0),
    );
    const bytes = decodeBase64(message.payload, room);
    assert(bytes === undefined || bytes.length <= (message.payload.length * 3) / 4);
  } else if (message.type === 'digit') {
    assert(message.digit.length === 1 && dtmfDigits.includes(message.digit));
  } else if (message.type === 'start') {
    const { start } = message;
    for (const text of Object.values(start)) assert(text === undefined || text.length <= 2000);
    assert(start.streamId !== '' && start.callId !== '');
  }
  return message.type !== 'unknown' && message.type !== 'invalid';
}

const streamMessage = target<StreamMessage | undefined>({
  name: 'stream message',
  mutant: (random) => mutateBytes(pick(messages, random), jsonPieces, messages, random),
  read: (frame) => {
    const json = readFrame(frame);
    if (json === undefined) return undefined;
    return 'event' in json ? readCarrierMessage(json) : readClientMessage(json);
  },
  check: (message) => message !== undefined && assertSound(message),
});

const addresses = [
  '/v1/sessions/sess_01JQZX3M8T5VY7B2N4K6P9R1WC/connect?token=kst_test_a.b&role=agent',
  '/v1/sessions/sess_01JQZX3M8T5VY7B2N4K6P9R1WC/connect',
].map((text) => Buffer.from(text));

const streamAddress = target({
  name: 'stream address',
  mutant: (random) => mutateBytes(pick(addresses, random), formPieces, addresses, random),
  read: (bytes) => readConnectRequest(bytes.toString('latin1')),
  check: (asked) => {
    assert(asked === undefined || (asked.sessionId.length <= 64 && !asked.sessionId.includes('/')));
    return asked !== undefined;
  },
});

export const streamTargets: readonly Target[] = [streamMessage, streamAddress];
