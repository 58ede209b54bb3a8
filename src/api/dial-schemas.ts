import { z } from 'zod';
import { callerId, callerNumber } from '../config/outbound.ts';
import { digits } from './dtmf-schemas.ts';
import { extraHeaders } from './session-schemas.ts';

/** What a request may say about a call that is to be placed. Keys that are not named here are ignored. */

export const dialBody = z
  .object({
    to: z
      .string()
      .min(1)
      .max(500)
      .describe(
        'A SIP URI, or a number in E.164 form, which is called through the organization’s outbound trunk',
      ),
    role: z
      .enum(['customer', 'agent'])
      .optional()
      .describe('Left out: the first that is free, customer first'),
    caller_id: z
      .union([
        callerId,
        z.object({
          number: callerNumber,
          name: z
            .string()
            .regex(/^[\x20-\x7e]{1,64}$/, 'must be 1 to 64 characters of ASCII')
            .optional(),
        }),
      ])
      .optional()
      .describe('Left out: that of the outbound settings'),
    ring_seconds: z.int().min(5).max(120).default(45).describe('How long the callee has to answer'),
    wait: z.boolean().default(false).describe('Answer when the call is answered, or has failed'),
    send_digits: digits.optional().describe('Keys that are pressed once it is answered: an extension'),
    headers: extraHeaders
      .refine(
        (headers) => !Object.keys(headers).some((name) => /^x-kallglot-/i.test(name)),
        'must not be X-Kallglot- headers, which are the gateway’s own',
      )
      .optional()
      .describe('X- headers of the INVITE, beside and before those of the session’s routing'),
  })
  .meta({
    examples: [
      { to: 'sip:agent@pbx.example.com', role: 'agent' },
      {
        to: '+14155550123',
        role: 'customer',
        caller_id: { number: '+14155550100', name: 'Acme Support' },
        ring_seconds: 30,
        wait: true,
        send_digits: 'w4711#',
        headers: { 'X-Queue': '7' },
      },
    ],
  });
