import { expect, test } from 'vitest';
import { z } from 'zod';
import '../src/schema-words.ts';

const wordsOf = (schema: z.ZodType, value: unknown) =>
  schema.safeParse(value).error?.issues.map(({ message }) => message);
const xHeader = z.string().regex(/^X-/, 'must begin with X-');

test.each<[z.ZodType, unknown, string]>([
  [z.object({ to: z.string() }), {}, 'is missing'],
  [z.string(), 5, 'must be a string'],
  [z.object({}), [], 'must be an object'],
  [z.array(z.string()), 5060, 'must be a list'],
  [z.boolean(), 'yes', 'must be true or false'],
  [z.int(), 1.5, 'must be a whole number'],
  [z.enum(['sip', 'webrtc']), 'pstn', 'must be one of sip or webrtc'],
  [z.enum(['off', 'optional', 'required']), 'on', 'must be one of off, optional or required'],
  [z.literal('a'), 'b', 'must be a'],
  [z.number().max(0), 5, 'must be at most 0'],
  [z.number().min(5), 4, 'must be at least 5'],
  [z.string().min(1), '', 'must have at least 1 characters'],
  [z.array(z.string()).max(1), ['a', 'b'], 'must have at most 1 entries'],
  [z.record(xHeader, z.string()), { From: 'x' }, 'must begin with X-'],
  [z.string().refine(() => false, 'its own words'), 'x', 'its own words'],
])('%# a value that does not fit: %j is told so: %s', (schema, value, words) => {
  expect(wordsOf(schema, value)).toEqual([words]);
});
