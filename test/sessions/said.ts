import type { Segment } from '../../src/sessions/transcript.ts';

/** What a pipeline has understood: a final of the customer's, unless it is said otherwise. */
export const said = (text: string, more: Partial<Segment> = {}): Segment => ({
  ...{ final: true, id: undefined, speaker: 'customer', language: undefined, text },
  ...{ translation: undefined, at: 1_800_000_000_000 },
  ...more,
});
