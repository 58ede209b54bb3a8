import type { Dialect } from './dialect.ts';
import { Link, type LinkSettings } from './link.ts';
import type { PipelineLinks } from './pipeline-link.ts';
import { Ticker } from './ticker.ts';

export interface PipelineLinksSettings extends Omit<LinkSettings, 'dialect'> {
  /** What the pipeline of an organization speaks. */
  dialectOf: (organizationId: string) => Dialect;
}

/** The gateway's links to the pipeline. */
export function createPipelineLinks({ dialectOf, ...settings }: PipelineLinksSettings): PipelineLinks {
  const ticker = new Ticker<Link>(settings.clock);
  return {
    inputFormat: (organizationId) => dialectOf(organizationId).input,
    create: (options) =>
      new Link({ ...settings, dialect: dialectOf(options.organizationId) }, options, ticker),
    close: async () => {
      await Promise.all(ticker.members.map((link) => link.close(false)));
    },
  };
}
