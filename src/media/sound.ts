/** Something that a leg hears beside what comes from the pipeline. Lengths are samples of the rate that it hears. */
export interface Sound {
  /** It is heard from now on. */
  start(): void;
  /**
   * Writes the next `length` samples, at most 20 ms, to the beginning of `into`.
   * @returns false when they are silence that stands for nothing
   */
  read(into: Int16Array, length: number): boolean;
  /** What has come and not been read is not to be heard any more. */
  skip(): void;
  /** Nobody hears it any more; idempotent. */
  stop(): void;
}
