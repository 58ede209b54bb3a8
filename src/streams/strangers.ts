import { ApiError } from '../errors.ts';

/** Carriers call from few addresses, many times a second. */
const MOST = 500;
const MOST_PER_ADDRESS = 50;

/** Connections that have shown no token yet, so that nobody can hold all places for them. */
export class Strangers {
  readonly #byAddress = new Map<string, number>();
  #count = 0;

  /** @returns gives the place back, idempotent @throws ApiError `overloaded` */
  enter(address: string): () => void {
    const known = this.#byAddress.get(address) ?? 0;
    if (this.#count >= MOST || known >= MOST_PER_ADDRESS)
      throw new ApiError('overloaded', { retryAfter: 10 });
    this.#byAddress.set(address, known + 1);
    this.#count++;
    let here = true;
    return () => {
      if (!here) return;
      here = false;
      this.#count--;
      const left = (this.#byAddress.get(address) ?? 1) - 1;
      if (left === 0) this.#byAddress.delete(address);
      else this.#byAddress.set(address, left);
    };
  }
}
