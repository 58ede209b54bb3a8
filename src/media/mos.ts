/**
 * How good a leg sounds, by the E-model (ITU-T G.107): a rating R from loss and delay, and the MOS that a listener would
 * give. All other impairments have the defaults of G.107, so that R begins at 93.2. A pure function.
 */

/** Equipment impairment `ie` and robustness against loss `bpl`, with concealment (ITU-T G.113 appendix I). */
const codecs: Readonly<Record<string, { ie: number; bpl: number }>> = {
  PCMU: { ie: 0, bpl: 25.1 },
  PCMA: { ie: 0, bpl: 25.1 },
  // G.113 rates these on the wideband scale; on this narrowband one they are no worse than G.711.
  G722: { ie: 0, bpl: 25.1 },
  opus: { ie: 0, bpl: 25.1 },
};
const unknownCodec = { ie: 10, bpl: 10 };

const BEST = 93.2;

export interface MosInput {
  codec: string;
  /** Share of packets that were not played, 0 to 1: lost, or too late. */
  loss: number;
  /** From mouth to ear, ms, as far as it is known. */
  delayMs: number;
}

/** @returns 1 (bad) to 4.41 (the best that narrowband can be) */
export function mosOf({ codec, loss, delayMs }: MosInput): number {
  const { ie, bpl } = codecs[codec] ?? unknownCodec;
  const percent = 100 * Math.min(1, Math.max(0, loss));
  // Equation 7-29, with loss at random (BurstR = 1).
  const equipment = ie + (95 - ie) * (percent / (percent + bpl));
  return mosOfRating(BEST - delayImpairment(delayMs) - equipment);
}

/** Idd of equation 7-27: none below 100 ms. */
function delayImpairment(ms: number): number {
  if (ms <= 100) return 0;
  const x = Math.log2(ms / 100);
  return 25 * ((1 + x ** 6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2);
}

/** Annex B of G.107. */
function mosOfRating(r: number): number {
  if (r <= 0) return 1;
  if (r >= 100) return 4.5;
  return Math.max(1, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6);
}
