import { type Random, randomFrom } from './random.ts';

/** Something that reads what strangers send. */
interface Reader<Result> {
  name: string;
  mutant(random: Random): Buffer;
  /** The reader: never throws, and never takes long. */
  read(mutant: Buffer): Result;
  /** What must hold of the result. @returns whether the mutant got so far that there was something to check */
  check?(result: Result, mutant: Buffer, random: Random): boolean;
}

export interface FuzzResult {
  mutants: number;
  /** Of them those that `check` looked into. */
  checked: number;
  /** ms of the slowest mutant, measured again when it seemed slow. */
  slowestMs: number;
}

/** ms that reading one message may take. */
const MAX_MS = 5;
/** How often a mutant that seemed slow is read again; the fastest time counts, since a busy machine only ever adds. */
const AGAIN = 50;

/** A reader that can be given mutants. */
export interface Target {
  readonly name: string;
  /** @throws Error naming the mutant, when something else than the mutant is wrong */
  fuzz(seed: number, count: number): FuzzResult;
}

export const target = <Result>(reader: Reader<Result>): Target => ({
  name: reader.name,
  fuzz: (seed, count) => fuzz(reader, seed, count),
});

function fuzz<Result>(reader: Reader<Result>, seed: number, count: number): FuzzResult {
  const random = randomFrom(seed);
  const outcome = { mutants: count, checked: 0, slowestMs: 0 };
  for (let i = 0; i < count; i++) {
    const mutant = reader.mutant(random);
    try {
      const { result, ms } = timed(() => reader.read(mutant), outcome.slowestMs);
      outcome.slowestMs = Math.max(outcome.slowestMs, ms);
      if (ms > MAX_MS) throw new Error(`reading it took ${ms.toFixed(1)} ms, allowed ${MAX_MS}`);
      if (reader.check?.(result, mutant, random)) outcome.checked++;
    } catch (error) {
      const text = JSON.stringify(mutant.toString('latin1').slice(0, 4_000));
      throw new Error(`${reader.name}, seed ${seed}, mutant ${i}: ${(error as Error).message}\n${text}`, {
        cause: error,
      });
    }
  }
  return outcome;
}

/** Reads again what seems to take longer than `known`. */
function timed<Result>(read: () => Result, known: number): { result: Result; ms: number } {
  let { result, ms } = once(read);
  for (let i = 0; i < AGAIN && ms > known; i++) ms = Math.min(ms, once(read).ms);
  return { result, ms };
}

function once<Result>(read: () => Result): { result: Result; ms: number } {
  const start = performance.now();
  const result = read();
  return { result, ms: performance.now() - start };
}
