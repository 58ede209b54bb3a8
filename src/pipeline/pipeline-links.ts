import { Link, type LinkSettings } from './link.ts';
import type { PipelineLinks } from './pipeline-link.ts';
import { Ticker } from './ticker.ts';

/**
 * The gateway's links to the pipeline.
 * @param settings `url`: ws or wss, with `{session_id}` and `{token}` where they belong; `chunkMs`: 20 to 200
 * @throws TypeError when `url` is not an address
 */
export function createPipelineLinks(settings: LinkSettings): PipelineLinks {
  new URL(settings.url);
  const ticker = new Ticker<Link>(settings.clock);
  return {
    create: (options) => new Link(settings, options, ticker),
    close: async () => {
      await Promise.all(ticker.members.map((link) => link.close(false)));
    },
  };
}
