import { type CSeq, parseCSeq } from './cseq.ts';
import { digits, parseNumber, Scanner } from './scanner.ts';

/** Which reliable provisional response a PRACK is for. */
export interface RAck {
  readonly rseq: number;
  /** CSeq of the request that it answered. */
  readonly of: CSeq;
}

/** RFC 3262 §7.2: a response number under 2^32, then the CSeq of the INVITE. @returns undefined when it does not parse */
export function parseRAck(text: string): RAck | undefined {
  const scanner = new Scanner(text);
  scanner.skipSpace();
  const rseq = parseNumber(scanner.take(digits), 2 ** 32 - 1);
  const end = scanner.at;
  scanner.skipSpace();
  const of = scanner.at > end ? parseCSeq(text.slice(scanner.at)) : undefined;
  return rseq === undefined || of === undefined ? undefined : { rseq, of };
}
