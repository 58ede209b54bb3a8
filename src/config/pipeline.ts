import { z } from 'zod';
import type { Problem } from './problems.ts';
import { allowed, flag, seconds, secret, text } from './values.ts';

/** The settings of the way to the translation pipeline: the gateway's own, and what an organization has in their place. */

/** The languages that pipelines speak. */
export const dialectNames = ['kallglot', 'openai', 'twilio'] as const;
export type DialectName = (typeof dialectNames)[number];

const isWebSocketUrl = (value: string): boolean => /^wss?:\/\//.test(value) && URL.canParse(value);

const dialect = allowed(z.enum(dialectNames), 'kallglot, openai or twilio');
const url = secret(
  allowed(
    z.string().max(2000).refine(isWebSocketUrl),
    'a ws:// or wss:// address, with {session_id} and {token} where they belong',
  ),
);
const model = allowed(z.string().regex(/^[A-Za-z0-9._:-]{1,100}$/), 'the name of a model');

export const pipelineSchema = z.strictObject({
  dialect: dialect.default('kallglot'),
  url: url.optional(),
  token_secret: secret(allowed(z.string().min(16).max(200), 'a text of 16 to 200 characters')).optional(),
  chunk_ms: allowed(z.number().int().min(20).max(200).multipleOf(20), '20 to 200 ms, in steps of 20').default(
    100,
  ),
  extensions: flag(false),
  reconnect_seconds: seconds(0, 3600, 30),
  on_failure: allowed(z.enum(['passthrough', 'hangup']), 'passthrough or hangup').default('passthrough'),
  openai: z
    .strictObject({
      model: model.default('gpt-realtime-translate'),
      transcription_model: model.optional(),
    })
    .prefault({}),
  twilio: z
    .strictObject({
      account_sid: allowed(z.string().regex(/^AC[0-9a-fA-F]{32}$/), 'AC and 32 hexadecimal digits').default(
        `AC${'0'.repeat(32)}`,
      ),
      auth_token: secret(text(200)).optional(),
    })
    .prefault({}),
  embedded: z
    .strictObject({
      behaviour: allowed(z.enum(['echo', 'relay']), 'echo or relay').default('echo'),
      delay_ms: allowed(z.number().int().min(0).max(10_000), '0 to 10000 ms').default(0),
    })
    .prefault({}),
});
export type PipelineConfig = z.infer<typeof pipelineSchema>;

/** An organization's own pipeline; everything else about it is as the gateway has it. */
export const organizationPipelineSchema = z.strictObject({ dialect, url: url.optional() });
export type OrganizationPipeline = z.infer<typeof organizationPipelineSchema>;

/** What has to fit each other. */
export function pipelineProblems(
  { dialect, url }: Pick<PipelineConfig, 'dialect' | 'url'>,
  path: string,
): Problem[] {
  if (dialect !== 'twilio' || url !== undefined) return [];
  return [{ path, found: 'the dialect twilio without a url', allowed: 'a url as well' }];
}
