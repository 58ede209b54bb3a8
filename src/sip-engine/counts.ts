/** Counts one more or one less of a key; what comes to nothing is forgotten. @returns `by` */
export function count<Key>(counts: Map<Key, number>, key: Key, by: 1 | -1): 1 | -1 {
  const now = (counts.get(key) ?? 0) + by;
  if (now <= 0) counts.delete(key);
  else counts.set(key, now);
  return by;
}
