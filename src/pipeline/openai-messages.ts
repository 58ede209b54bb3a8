import type { RealtimeTranslationServerEvent } from 'openai/resources/realtime/realtime';
import { z } from 'zod';
import { type SampleRate, sampleRates } from '../audio/format.ts';
import { MAX_CONTROL_BYTES, readAs, readNamed } from './frame.ts';
import { type ServiceError, withoutKey } from './openai-failures.ts';

/**
 * What a translation session of OpenAI says, read from JSON text. Pure: no socket, no state, no time.
 * Source: the types of the package `openai`; a version of it with an event that is not read here does not compile.
 */

const AUDIO = 'session.output_audio.delta';
/** Where an event does not say it (guide "Realtime translation"). */
const USUAL_RATE_HZ = 24_000;

export type ServiceEvent =
  | { event: 'created' | 'updated' | 'closed' | 'unknown' }
  | { event: 'audio'; payload: string; sampleRateHz: SampleRate }
  /** A fragment of what was said, or of its translation. */
  | { event: 'said' | 'translated'; fragment: string }
  | { event: 'error'; error: ServiceError }
  | { event: 'invalid'; problem: string };

const always = (event: 'created' | 'updated' | 'closed') =>
  z.object({}).transform((): ServiceEvent => ({ event }));
const fragment = (event: 'said' | 'translated') =>
  z
    .object({ delta: z.string().max(20_000) })
    .transform(({ delta }): ServiceEvent => ({ event, fragment: delta }));

const audio = z
  .object({
    delta: z.string(),
    format: z.literal('pcm16').optional(),
    sample_rate: z.literal(sampleRates).default(USUAL_RATE_HZ),
    channels: z.literal(1).optional(),
  })
  .transform(
    ({ delta, sample_rate }): ServiceEvent => ({ event: 'audio', payload: delta, sampleRateHz: sample_rate }),
  );

const error = z
  .object({
    error: z.object({
      type: z.string().max(200).default('unknown'),
      code: z.string().max(200).nullish(),
      message: z.string().max(2000).default(''),
    }),
  })
  .transform(
    ({ error: { type, code, message } }): ServiceEvent => ({
      event: 'error',
      error: { type, code: code ?? type, message: withoutKey(message) },
    }),
  );

const schemas: Record<RealtimeTranslationServerEvent['type'], z.ZodType<ServiceEvent>> = {
  'session.created': always('created'),
  'session.updated': always('updated'),
  'session.closed': always('closed'),
  'session.input_transcript.delta': fragment('said'),
  'session.output_transcript.delta': fragment('translated'),
  [AUDIO]: audio,
  error,
};
const types = new Map<string, z.ZodType<ServiceEvent>>(Object.entries(schemas));

/** Reads a text frame of the service. Never throws: what is wrong with it is in the result. */
export function readServiceEvent(frame: Buffer): ServiceEvent {
  const named = readNamed(frame, 'type');
  if ('problem' in named) return { event: 'invalid', ...named };
  const { name, json } = named;
  if (name !== AUDIO && frame.length > MAX_CONTROL_BYTES)
    return { event: 'invalid', problem: `larger than ${MAX_CONTROL_BYTES} bytes` };
  const schema = types.get(name);
  if (schema === undefined) return { event: 'unknown' };
  const result = readAs(schema, json);
  return 'problem' in result ? { event: 'invalid', ...result } : result.read;
}
