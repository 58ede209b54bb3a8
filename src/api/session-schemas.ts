import { z } from 'zod';
import { sessionModes } from '../roles.ts';

/** The REST shapes of a session (contract §5.2). Keys that are not named here are ignored. */

const METADATA_MOST_BYTES = 16_384;
const languageNames = new Intl.DisplayNames(['en'], { type: 'language', fallback: 'none' });

/** ISO 639 with an optional region or script (BCP 47): `en`, `pt-BR`. */
const language = z.string().refine(isLanguage, 'must be a language code such as en, es, de or pt-BR');

function isLanguage(code: string): boolean {
  if (!/^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8}){0,2}$/.test(code)) return false;
  return languageNames.of((code.split('-')[0] as string).toLowerCase()) !== undefined;
}

const boundedObject = z
  .record(z.string(), z.unknown())
  .refine((value) => Buffer.byteLength(JSON.stringify(value)) <= METADATA_MOST_BYTES, {
    message: `must be at most ${METADATA_MOST_BYTES} bytes of JSON`,
  });

const headerValue = z
  .string()
  .max(1000)
  .regex(/^[\t\x20-\x7e]*$/, 'must be printable ASCII');
const extraHeaders = z
  .record(z.string().regex(/^X-[A-Za-z0-9-]{1,60}$/i, 'must be the name of an X- header'), headerValue)
  .refine((headers) => Object.keys(headers).length <= 20, 'must be 20 headers at most');

const routing = z.object({
  phone_number: z
    .string()
    .regex(/^\+[1-9]\d{6,14}$/, 'must be a number in E.164 form, such as +14155550100')
    .optional(),
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

export const createSessionBody = z.object({
  mode: z.enum(sessionModes as [(typeof sessionModes)[number], ...(typeof sessionModes)[number][]]),
  source_language: language.nullish(),
  target_language: language.nullish(),
  routing: routing.nullish(),
  metadata: boundedObject.nullish(),
  ai_agent: boundedObject.nullish(),
  recording: z.object({ enabled: z.boolean().default(false) }).nullish(),
  provider: z.undefined('must not be sent: use routing to choose the telephony path').optional(),
});
