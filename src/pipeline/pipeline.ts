import type { Clock } from '../clock.ts';
import type { Config } from '../config/config.ts';
import type { OrganizationPipeline, PipelineConfig } from '../config/pipeline.ts';
import type { Log } from '../telemetry/log.ts';
import type { Dialect } from './dialect.ts';
import { startEmbeddedPipeline } from './embedded-pipeline.ts';
import { kallglotDialect } from './kallglot-dialect.ts';
import { openaiDialect } from './openai-dialect.ts';
import type { PipelineLinks } from './pipeline-link.ts';
import { createPipelineLinks } from './pipeline-links.ts';
import { twilioDialect } from './twilio-dialect.ts';

export interface PipelineSecrets {
  /** Signs the tokens of the connections. */
  tokenSecret: string;
  /** `OPENAI_API_KEY` of the environment, and nothing else. */
  openaiKey: string | undefined;
}

/**
 * The ways to the pipelines that the configuration names, an organization's own before the gateway's, or to the embedded
 * one where it names none.
 * @throws Error in plain words when the key of OpenAI is needed and is not there
 */
export async function openPipeline(
  { pipeline, organizations }: Pick<Config, 'pipeline' | 'organizations'>,
  secrets: PipelineSecrets,
  clock: Clock,
  log: Log,
): Promise<PipelineLinks> {
  const chosen = [pipeline, ...organizations.flatMap((organization) => organization.pipeline ?? [])];
  if (!secrets.openaiKey && chosen.some(({ dialect }) => dialect === 'openai'))
    throw new Error('the pipeline dialect openai needs a key: OPENAI_API_KEY is not set in the environment');
  const { behaviour, delay_ms: delayMs } = pipeline.embedded;
  const { tokenSecret } = secrets;
  const own = chosen.some(isEmbedded)
    ? await startEmbeddedPipeline({ behaviour, delayMs, tokenSecret })
    : undefined;
  const make = (one: OrganizationPipeline) =>
    makeDialect({ ...pipeline, ...one, url: one.url ?? (isEmbedded(one) ? own?.url : undefined) }, secrets);
  const usual = make(pipeline);
  const special = new Map<string, Dialect>();
  for (const { id, pipeline: one } of organizations) if (one !== undefined) special.set(id, make(one));
  const links = createPipelineLinks({
    dialectOf: (organizationId) => special.get(organizationId) ?? usual,
    ...{ reconnectSeconds: pipeline.reconnect_seconds, clock, log },
  });
  return {
    ...links,
    close: async () => {
      await links.close();
      await own?.close();
    },
  };
}

const isEmbedded = ({ dialect, url }: OrganizationPipeline): boolean =>
  dialect === 'kallglot' && url === undefined;

/** @param settings with the address, but for `openai`, which has one of its own */
function makeDialect(settings: PipelineConfig, { tokenSecret, openaiKey = '' }: PipelineSecrets): Dialect {
  const { dialect, url = '', chunk_ms: chunkMs, extensions, openai, twilio } = settings;
  if (dialect === 'kallglot') return kallglotDialect({ url, tokenSecret, extensions, chunkMs });
  if (dialect === 'twilio') {
    const { account_sid: accountSid, auth_token: authToken } = twilio;
    return twilioDialect({ url, tokenSecret, accountSid, authToken });
  }
  const { model, transcription_model: transcriptionModel } = openai;
  return openaiDialect({ url: settings.url, key: openaiKey, model, transcriptionModel });
}
