import type { MediaStats } from '../media/media-port.ts';

/**
 * Why a call is silent, where nothing else tells of it: of the commonest causes, the one that its counters show.
 * @returns words for the log, and the packets concerned; undefined when it is heard, or nothing comes
 */
export function deafness(stats: MediaStats | undefined): { words: string; packets: number } | undefined {
  if (!stats || stats.packetsReceived > 0) return undefined;
  const { packetsDroppedBySource: strange, packetsDroppedUnauthentic: unauthentic } = stats;
  if (unauthentic > 0) {
    const words = 'the SRTP of this call does not fit the key in its SDP; it is not heard';
    return { words, packets: unauthentic };
  }
  if (strange === 0) return undefined;
  const words = 'the RTP of this call comes from an address that its SDP does not name; it is not heard';
  return { words, packets: strange };
}
