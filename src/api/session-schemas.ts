import { z } from 'zod';
import { E164 } from '../config/values.ts';
import { type SessionMode, sessionModes } from '../roles.ts';

/** What a request may say about a session (contract §5.2). Keys that are not named here are ignored. */

const METADATA_MOST_BYTES = 16_384;
const languageNames = new Intl.DisplayNames(['en'], { type: 'language', fallback: 'none' });

/** ISO 639 with an optional region or script (BCP 47): `en`, `pt-BR`. */
export const language = z.string().refine(isLanguage, {
  error: ({ input }) =>
    `${JSON.stringify(String(input).slice(0, 20))} is no language code such as en, es, de or pt-BR`,
});

function isLanguage(code: string): boolean {
  if (!/^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8}){0,2}$/.test(code)) return false;
  return languageNames.of((code.split('-')[0] as string).toLowerCase()) !== undefined;
}

export const mixOriginalDb = z
  .number()
  .min(-60)
  .max(0)
  .describe(
    "How loud the other party's own voice is under its translation, in dB; left out: as the gateway is set",
  );

export const boundedObject = z
  .record(z.string(), z.unknown())
  .refine((value) => Buffer.byteLength(JSON.stringify(value)) <= METADATA_MOST_BYTES, {
    message: `must be at most ${METADATA_MOST_BYTES} bytes of JSON`,
  });

const headerValue = z
  .string()
  .max(1000)
  .regex(/^[\t\x20-\x7e]*$/, 'must be printable ASCII');
export const extraHeaders = z
  .record(z.string().regex(/^X-[A-Za-z0-9-]{1,60}$/i, 'must be the name of an X- header'), headerValue)
  .refine((headers) => Object.keys(headers).length <= 20, 'must be 20 headers at most');

const routing = z.object({
  phone_number: z.string().regex(E164, 'must be a number in E.164 form, such as +14155550100').optional(),
  connection_id: z.string().min(1).max(100).optional(),
  type: z.enum(['sip', 'webrtc']).optional(),
  direction: z.enum(['inbound', 'outbound']).optional(),
  sip: z
    .object({
      from_uri: z
        .string()
        .max(500)
        .regex(/^sips?:[^\s<>"]+$/, 'must be a SIP URI such as sip:alice@example.com')
        .optional(),
      headers: extraHeaders.optional(),
    })
    .optional(),
});

/** The three create calls of the contract: a managed number, one's own connection, SIP (contract §3). */
const createExamples = [
  {
    mode: 'bidirectional_translation',
    source_language: 'en',
    target_language: 'es',
    routing: { phone_number: '+14155550100' },
  },
  {
    mode: 'assistive_translation',
    routing: { connection_id: 'pcon_01JQZX3M8T5VY7B2N4K6P9R1WC', direction: 'inbound' },
    metadata: { ticket: 42 },
  },
  {
    mode: 'bidirectional_translation',
    source_language: 'en',
    target_language: 'pt-BR',
    routing: { type: 'sip', sip: { from_uri: 'sip:alice@example.com', headers: { 'X-Queue': '7' } } },
  },
];

export const createSessionBody = z
  .object({
    mode: z.enum(sessionModes as [SessionMode, ...SessionMode[]]),
    source_language: language.nullish().describe('Language of party A; left out, it is detected'),
    target_language: language.nullish().describe('Language of party B; left out, it is detected'),
    mix_original_db: mixOriginalDb.nullish(),
    routing: routing.nullish().describe('Left out: the default connection'),
    metadata: boundedObject.nullish(),
    ai_agent: boundedObject.nullish(),
    recording: z.object({ enabled: z.boolean().default(false) }).nullish(),
    provider: z.never('must not be sent: use routing to choose the telephony path').optional(),
  })
  .meta({ examples: createExamples });

export const hangUpBody = z
  .object({
    leg_id: z.string().min(1).max(100).optional(),
    role: z.enum(['customer', 'agent']).optional(),
  })
  .refine(({ leg_id, role }) => leg_id === undefined || role === undefined, 'leg_id or role, not both')
  .nullish()
  .meta({ examples: [{}, { role: 'agent' }, { leg_id: 'leg_01JQZX3M8T5VY7B2N4K6P9R1WC' }] });

export const sessionParams = z.object({ id: z.string().describe('sess_ and a ULID') });
