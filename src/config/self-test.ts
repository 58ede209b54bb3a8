import { z } from 'zod';
import { allowed, seconds } from './values.ts';

/** `echo`: callers hear themselves. `test`: the same for a while, with tones, and then hung up. */
export const selfTestKinds = ['echo', 'test'] as const;
export type SelfTestKind = (typeof selfTestKinds)[number];

const name = allowed(
  z.string().regex(/^[A-Za-z0-9._+-]{0,64}$/),
  'at most 64 letters, digits or . _ + -; empty: there is none',
);

export const selfTestSchema = z.strictObject({
  echo: name.default('echo'),
  test: name.default('test'),
  seconds: seconds(5, 600, 60),
});
