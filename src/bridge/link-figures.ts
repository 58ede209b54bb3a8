import type { LinkStats } from '../pipeline/pipeline-link.ts';

/** What has become of the link to the pipeline, and of the translation by it, over some time. */
export interface LinkFigures {
  /** How often it was lost and ready again. */
  reconnects: number;
  /** ms of speech that went to the pipeline once more, and that it never got. */
  resentMs: number;
  lostMs: number;
  /** ms of audio, both ways, that a bound dropped. */
  droppedMs: number;
  /** ms of silence taken out of late playout. */
  trimmedMs: number;
  /** ms without a translation. */
  untranslatedMs: number;
}

/** @param stats of the link; undefined where there was none yet */
export const figuresOf = (stats: LinkStats | undefined, untranslatedMs: number): LinkFigures => ({
  reconnects: stats?.reconnects ?? 0,
  resentMs: stats?.resentMs ?? 0,
  lostMs: stats?.lostMs ?? 0,
  droppedMs: (stats?.inputDroppedMs ?? 0) + (stats?.outputDroppedMs ?? 0),
  trimmedMs: stats?.trimmedMs ?? 0,
  untranslatedMs,
});

export const noFigures: LinkFigures = figuresOf(undefined, 0);

/** What has come about since; of another link than before, all. */
export function grownSince(before: LinkFigures, now: LinkFigures): LinkFigures {
  const grown = (key: keyof LinkFigures) => (now[key] < before[key] ? now[key] : now[key] - before[key]);
  return {
    reconnects: grown('reconnects'),
    resentMs: grown('resentMs'),
    lostMs: grown('lostMs'),
    droppedMs: grown('droppedMs'),
    trimmedMs: grown('trimmedMs'),
    untranslatedMs: grown('untranslatedMs'),
  };
}
