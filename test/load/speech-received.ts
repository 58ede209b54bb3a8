import { readFileSync } from 'node:fs';

/** A message of speech as a pipeline process has taken it. */
export interface ReceivedSpeech {
  session: string;
  speaker: string;
  /** From 1 on for each speaker of a session. */
  sequence: number;
  /** Which of the processes took it, from 0 on. */
  generation: number;
}

/** What one of the processes has taken. */
export interface GenerationSpeech {
  /** Numbers that no process has taken, up to the first that this one took. */
  lost: number;
  /** Numbers that were known already. */
  twice: number;
}

/** A line of the file that all the processes write. */
export const wordsOf = ({ session, speaker, sequence, generation }: ReceivedSpeech): string =>
  `${session} ${speaker} ${sequence} ${generation}\n`;

export function readSpeech(file: string): ReceivedSpeech[] {
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => {
    const [session = '', speaker = '', sequence, generation] = line.split(' ');
    return { session, speaker, sequence: Number(sequence), generation: Number(generation) };
  });
}

/** Counts messages by the process that took them, or should have. @param generations how many processes there were */
export function countSpeech(received: readonly ReceivedSpeech[], generations: number): GenerationSpeech[] {
  const counts = Array.from({ length: generations }, () => ({ lost: 0, twice: 0 }));
  /** By speaker of a session: which process took which number first. */
  const taken = new Map<string, Map<number, number>>();
  for (const { session, speaker, sequence, generation } of received) {
    const key = `${session} ${speaker}`;
    const numbers = taken.get(key) ?? new Map<number, number>();
    taken.set(key, numbers);
    if (numbers.has(sequence)) (counts[generation] as GenerationSpeech).twice++;
    else numbers.set(sequence, generation);
  }
  for (const numbers of taken.values()) countMissing(numbers, counts);
  return counts;
}

function countMissing(numbers: ReadonlyMap<number, number>, counts: readonly GenerationSpeech[]): void {
  let next = 1;
  for (const [sequence, generation] of [...numbers].sort(([a], [b]) => a - b)) {
    (counts[generation] as GenerationSpeech).lost += sequence - next;
    next = sequence + 1;
  }
}
