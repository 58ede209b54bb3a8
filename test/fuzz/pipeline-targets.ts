import assert from 'node:assert/strict';
import type { PipelineMessage } from '../../src/pipeline/dialect.ts';
import { readUsualAudio } from '../../src/pipeline/kallglot-audio.ts';
import { readMessage } from '../../src/pipeline/kallglot-messages.ts';
import { readServiceEvent, type ServiceEvent } from '../../src/pipeline/openai-messages.ts';
import { readBotMessage } from '../../src/pipeline/twilio-messages.ts';
import { type Target, target } from './fuzz.ts';
import { jsonPieces, mutateBytes } from './mutate.ts';
import { pick } from './random.ts';

/** What pipelines say, in each of the dialects. */

const written = (messages: readonly object[]) =>
  messages.map((message) => Buffer.from(JSON.stringify(message)));
const payload = 'no+JhoaJjpw=';

const ofKallglot = written([
  { type: 'audio.output', speaker: 'agent', audio: { encoding: 'mulaw', sample_rate_hz: 8000, payload } },
  { type: 'audio', data: payload, encoding: 'pcm_16', sample_rate: 24_000 },
  {
    type: 'transcript.final',
    id: 't',
    speaker: 'agent',
    language: 'de',
    text: 'Hallo',
    translation: 'Hello',
  },
  { type: 'session.error', error: { code: 'busy', message: 'later' } },
  { type: 'audio.mark', name: 'm', speaker: 'agent' },
]);
const ofBots = written([
  { event: 'media', streamSid: 'MZ1', media: { payload } },
  { event: 'mark', streamSid: 'MZ1', mark: { name: 'm' } },
  { event: 'clear', streamSid: 'MZ1' },
]);
const ofOpenai = written([
  { type: 'session.output_audio.delta', event_id: 'e', delta: payload, sample_rate: 24_000, channels: 1 },
  { type: 'session.input_transcript.delta', event_id: 'e', delta: 'Hello', elapsed_ms: 200 },
  { type: 'session.closed', event_id: 'e' },
  {
    type: 'error',
    event_id: 'e',
    error: { type: 'server_error', code: null, message: 'sk-abc', param: null },
  },
]);

function assertSound(message: PipelineMessage): boolean {
  if (message.type === 'mark') assert(message.name.length <= 200);
  if (message.type === 'transcript') assert(message.text.length <= 20_000 && message.speaker.length <= 40);
  if (message.type === 'error') assert(message.code.length <= 200 && message.message.length <= 2000);
  return message.type !== 'unknown' && message.type !== 'invalid';
}

function assertSoundEvent(event: ServiceEvent): boolean {
  if ('fragment' in event) assert(event.fragment.length <= 20_000);
  if (event.event === 'error') assert(!event.error.message.includes('sk-abc'));
  return event.event !== 'unknown' && event.event !== 'invalid';
}

export const pipelineTargets: readonly Target[] = [
  target<PipelineMessage>({
    name: 'kallglot pipeline message',
    mutant: (random) => mutateBytes(pick(ofKallglot, random), jsonPieces, ofKallglot, random),
    read: (frame) => readUsualAudio(frame) ?? readMessage(frame, true),
    check: assertSound,
  }),
  target<PipelineMessage>({
    name: 'voice bot message',
    mutant: (random) => mutateBytes(pick(ofBots, random), jsonPieces, ofBots, random),
    read: (frame) => readBotMessage(frame, { streamSid: 'MZ1', speaker: 'agent' }),
    check: assertSound,
  }),
  target<ServiceEvent>({
    name: 'openai translation event',
    mutant: (random) => mutateBytes(pick(ofOpenai, random), jsonPieces, ofOpenai, random),
    read: readServiceEvent,
    check: assertSoundEvent,
  }),
];
