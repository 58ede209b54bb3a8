/**
 * When a leg is looked at for its next chunk. The packet that completes it comes when the one of the last chunk came,
 * give or take: from a little earlier on it is looked for in every tick, and before that once in a while, as the last
 * one may have been late. To look every time, at every leg, would be most of what links cost. Pure.
 */
const PACKET_MS = 20;
const EARLY_MS = 4;
const UNSURE_MS = 4;

export class ChunkWatch {
  #expectedAt = 0;

  /**
   * @param now monotonic, ms
   * @param missingMs of audio, until there is the next chunk
   * @param isNew whether a chunk has just come
   * @returns ms in which there is no use in looking
   */
  looked(now: number, missingMs: number, isNew: boolean): number {
    if (isNew) this.#expectedAt = now + missingMs;
    if (missingMs > PACKET_MS) return missingMs - PACKET_MS;
    return Math.min(this.#expectedAt - EARLY_MS - now, UNSURE_MS);
  }
}
