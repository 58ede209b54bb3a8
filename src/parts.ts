type Closable = { close(): unknown } | (() => unknown);

/** What has been started, to be closed in the opposite order, once. */
export class Parts {
  readonly #parts: Closable[] = [];
  #closing: Promise<void> | undefined;

  add<T extends Closable>(part: T): T {
    this.#parts.push(part);
    return part;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** A part that fails to close does not keep the others open; the first failure is thrown at the end. */
  async #close(): Promise<void> {
    const failures: unknown[] = [];
    for (const part of this.#parts.splice(0).reverse()) {
      try {
        await (typeof part === 'function' ? part() : part.close());
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
