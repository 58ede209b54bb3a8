import { digits, parseNumber, Scanner, tokenBytes } from './scanner.ts';

export interface CSeq {
  readonly number: number;
  readonly method: string;
}

/** RFC 3261 §20.16: a number under 2^31 and a method. @returns undefined when it does not parse */
export function parseCSeq(text: string): CSeq | undefined {
  const scanner = new Scanner(text);
  scanner.skipSpace();
  const number = parseNumber(scanner.take(digits), 2 ** 31 - 1);
  const end = scanner.at;
  scanner.skipSpace();
  const spaced = scanner.at > end;
  const method = scanner.take(tokenBytes);
  scanner.skipSpace();
  return number !== undefined && spaced && method !== '' && scanner.done ? { number, method } : undefined;
}
