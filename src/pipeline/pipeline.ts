import type { Clock } from '../clock.ts';
import type { Config } from '../config/config.ts';
import type { Log } from '../telemetry/log.ts';
import { startEmbeddedPipeline } from './embedded-pipeline.ts';
import { kallglotDialect } from './kallglot-dialect.ts';
import type { PipelineLinks } from './pipeline-link.ts';
import { createPipelineLinks } from './pipeline-links.ts';

/** The way to the pipeline that the configuration names, or to the embedded one where it names none. */
export async function openPipeline(
  { url, chunk_ms, extensions, reconnect_seconds, embedded }: Config['pipeline'],
  tokenSecret: string,
  clock: Clock,
  log: Log,
): Promise<PipelineLinks> {
  const own =
    url === undefined
      ? await startEmbeddedPipeline({ ...embedded, delayMs: embedded.delay_ms, tokenSecret })
      : undefined;
  const dialect = kallglotDialect({
    ...{ url: url ?? (own?.url as string), tokenSecret, extensions },
    chunkMs: chunk_ms,
  });
  const links = createPipelineLinks({ dialect, reconnectSeconds: reconnect_seconds, clock, log });
  return {
    create: links.create,
    close: async () => {
      await links.close();
      await own?.close();
    },
  };
}
