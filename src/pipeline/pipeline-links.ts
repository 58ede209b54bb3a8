import { Link, type LinkSettings } from './link.ts';
import type { PipelineLinks } from './pipeline-link.ts';
import { Ticker } from './ticker.ts';

/** The gateway's links to the pipeline. */
export function createPipelineLinks(settings: LinkSettings): PipelineLinks {
  const ticker = new Ticker<Link>(settings.clock);
  return {
    create: (options) => new Link(settings, options, ticker),
    close: async () => {
      await Promise.all(ticker.members.map((link) => link.close(false)));
    },
  };
}
