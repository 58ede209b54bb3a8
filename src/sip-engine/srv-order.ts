import type { SrvRecord } from './dns.ts';

/** Records of one answer that are looked at; the choice by weight takes the square of their number. */
const MAX_RECORDS = 32;

/**
 * Servers in the order in which they are to be tried (RFC 2782): by priority, and within one at random by weight.
 * @param random from 0 up to 1
 */
export function inTryingOrder(records: readonly SrvRecord[], random: () => number): SrvRecord[] {
  const byPriority = Map.groupBy(records, ({ priority }) => priority);
  const groups = [...byPriority].sort(([a], [b]) => a - b).map(([, group]) => group);
  return groups.flatMap((group) => byWeight(group.slice(0, MAX_RECORDS), random)).slice(0, MAX_RECORDS);
}

/** Each draw takes the first record whose running sum of weights reaches the mark; those of weight 0 stand in front. */
function byWeight(records: readonly SrvRecord[], random: () => number): SrvRecord[] {
  const left = records.toSorted((a, b) => Math.sign(a.weight) - Math.sign(b.weight));
  const chosen: SrvRecord[] = [];
  while (left.length > 0) {
    const total = left.reduce((sum, { weight }) => sum + weight, 0);
    let mark = Math.floor(random() * (total + 1));
    const at = left.findIndex(({ weight }) => {
      mark -= weight;
      return mark <= 0;
    });
    chosen.push(...left.splice(at, 1));
  }
  return chosen;
}
