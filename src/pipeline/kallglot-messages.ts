import { z } from 'zod';
import { encodings, sampleRates } from '../audio/format.ts';
import type { PipelineMessage } from './dialect.ts';
import { MAX_CONTROL_BYTES, readAs, readNamed } from './frame.ts';

/**
 * The messages of a `kallglot` pipeline, read from JSON text. Pure: no socket, no state, no time.
 * Sources: contract §7, decisions §6 (the audio to be played and the extensions).
 */

const word = z.string().max(200);
const speaker = z.string().max(40);
const mono = z.literal(1).optional();
const encoding = z.enum(encodings);
const sampleRate = z.literal(sampleRates);

const audioOutput = z
  .object({
    speaker: speaker.optional(),
    audio: z.object({ encoding, sample_rate_hz: sampleRate, channels: mono, payload: z.string() }),
  })
  .transform(
    ({ speaker, audio }): PipelineMessage => ({
      type: 'audio',
      speaker,
      encoding: audio.encoding,
      sampleRateHz: audio.sample_rate_hz,
      payload: audio.payload,
    }),
  );

const earlierAudio = z
  .object({
    speaker: speaker.optional(),
    data: z.string(),
    encoding,
    sample_rate: sampleRate,
    channels: mono,
  })
  .transform(
    (message): PipelineMessage => ({
      type: 'audio',
      speaker: message.speaker,
      encoding: message.encoding,
      sampleRateHz: message.sample_rate,
      payload: message.data,
    }),
  );

const speech = z.string().max(20_000);
const languageName = z.string().min(1).max(35).optional().catch(undefined);
/** The contract does not show its form: the text alone, or an object with it. */
const translation = z
  .union([
    speech.transform((text) => ({ language: undefined, text })),
    z.object({ language: languageName, text: speech }),
  ])
  .transform(({ language, text }) => (text === '' ? undefined : { language, text }));

/** Of what is beside the text, an unusable field costs itself only. */
const transcript = (final: boolean) =>
  z
    .object({
      id: z
        .union([z.string().min(1).max(200), z.number().transform(String)])
        .optional()
        .catch(undefined),
      speaker,
      language: languageName,
      text: speech,
      translation: translation.optional().catch(undefined),
    })
    .transform(
      ({ id, speaker, language, text, translation }): PipelineMessage => ({
        ...{ type: 'transcript', final, id, speaker, language, text, translation },
      }),
    );

const errorBody = z.object({ code: word, message: z.string().max(2000).default('') });
/** The contract does not show the envelope: the code may stand in the message itself or in an object `error`. */
const sessionError = z
  .union([z.object({ error: errorBody }).transform(({ error }) => error), errorBody])
  .transform((body): PipelineMessage => ({ type: 'error', ...body }));

const ended = z
  .object({ reason: word.default('unknown') })
  .transform(({ reason }): PipelineMessage => ({ type: 'ended', reason }));

const clear = z
  .object({ speaker: speaker.optional() })
  .transform(({ speaker }): PipelineMessage => ({ type: 'clear', speaker }));

const mark = z
  .object({ name: word, speaker: speaker.optional() })
  .transform(({ name, speaker }): PipelineMessage => ({ type: 'mark', name, speaker }));

const always = (message: PipelineMessage) => z.object({}).transform(() => message);

const types: ReadonlyMap<string, z.ZodType<PipelineMessage>> = new Map<string, z.ZodType<PipelineMessage>>([
  ['audio.output', audioOutput],
  ['audio', earlierAudio],
  ['session.ready', always({ type: 'ready' })],
  ['pong', always({ type: 'pong' })],
  ['transcript.partial', transcript(false)],
  ['transcript.final', transcript(true)],
  ['session.error', sessionError],
  ['session.ended', ended],
]);
const extensionTypes: ReadonlyMap<string, z.ZodType<PipelineMessage>> = new Map<
  string,
  z.ZodType<PipelineMessage>
>([
  ['audio.clear', clear],
  ['audio.mark', mark],
]);

/** Reads a text frame of the pipeline. Never throws: what is wrong with it is in the result. */
export function readMessage(frame: Buffer, extensions: boolean): PipelineMessage {
  const named = readNamed(frame, 'type');
  if ('problem' in named) return { type: 'invalid', ...named };
  const { name, json } = named;
  const schema = types.get(name) ?? (extensions ? extensionTypes.get(name) : undefined);
  if (schema === undefined) return { type: 'unknown' };
  const result = readAs(schema, json);
  const message: PipelineMessage = 'problem' in result ? { type: 'invalid', ...result } : result.read;
  if (message.type !== 'audio' && frame.length > MAX_CONTROL_BYTES) {
    return { type: 'invalid', problem: `${name} is larger than ${MAX_CONTROL_BYTES} bytes` };
  }
  return message;
}
