import { z } from 'zod';

/** What a request may say about keys that are to be pressed at a leg's end. Keys that are not named here are ignored. */

const DIGITS_MOST = 64;
/** Timing that every switch understands; the gap holds the copies of a press's end. */
export const standardTiming = { durationMs: 100, gapMs: 100 };

export const digits = z
  .string()
  .max(DIGITS_MOST, `must be ${DIGITS_MOST} characters at most`)
  .regex(/^[0-9A-Da-d*#w,]*$/, 'must be of 0 to 9, *, #, A to D, and the pauses w (0.5 s) and "," (2 s)')
  .regex(/[0-9A-Da-d*#]/, 'must have a digit');

export const dtmfBody = z
  .object({
    digits: digits.describe('0 to 9, *, #, A to D; w waits for half a second, a comma for two'),
    leg_id: z.string().min(1).max(100).optional(),
    role: z.enum(['customer', 'agent']).optional(),
    duration_ms: z
      .int()
      .min(40)
      .max(1000)
      .default(standardTiming.durationMs)
      .describe('How long each key is down'),
    gap_ms: z.int().min(40).max(1000).default(standardTiming.gapMs).describe('How long between two keys'),
  })
  .refine(({ leg_id, role }) => leg_id === undefined || role === undefined, 'leg_id or role, not both')
  .meta({ examples: [{ digits: '1' }, { role: 'agent', digits: 'w4711#', duration_ms: 120, gap_ms: 80 }] });

export const dtmfAnswer = z
  .object({
    object: z.literal('dtmf'),
    session_id: z.string(),
    leg_id: z.string(),
    role: z.enum(['customer', 'agent']),
    method: z
      .enum(['rtp', 'info'])
      .describe('As telephone-event in RTP, or by SIP INFO where the peer has none'),
  })
  .meta({
    examples: [
      {
        object: 'dtmf',
        session_id: 'sess_01JQZX3M8T5VY7B2N4K6P9R1WC',
        leg_id: 'leg_01JQZX4A1B2C3D4E5F6G7H8J9K',
        role: 'agent',
        method: 'rtp',
      },
    ],
  });
