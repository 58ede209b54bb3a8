import type { AppLink } from './app-link.ts';
import type { HeaderField } from './message.ts';
import { type ProxiedParts, ProxiedRequest } from './proxied-request.ts';
import type { Target } from './proxy-branch.ts';
import type { EngineStats } from './stats.ts';
import { RETRY_AFTER } from './write-response.ts';

/** All requests that are being proxied, by the id of their server transaction. */
export class ProxiedRequests {
  readonly #byId = new Map<string, { request: ProxiedRequest; app: AppLink | undefined }>();
  readonly #stats: EngineStats;

  constructor(stats: EngineStats) {
    this.#stats = stats;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** @param app that ordered it; undefined for a request of a dialog that runs by itself */
  start(parts: ProxiedParts, targets: readonly Target[], app: AppLink | undefined): void {
    const { id } = parts.upstream.transaction;
    const closed = (): void => {
      this.#byId.delete(id);
      this.#stats.proxiedRequests = this.size;
      parts.closed();
    };
    const request = new ProxiedRequest(parts, targets, closed);
    this.#byId.set(id, { request, app });
    this.#stats.proxiedRequests = this.size;
    request.start();
  }

  /** Its caller has cancelled. @returns whether that is news to a request that is being proxied */
  cancel(id: string, headers: readonly HeaderField[]): boolean {
    return this.#byId.get(id)?.request.cancel(headers) ?? false;
  }

  /** An application is gone: nobody wants to know any more what becomes of its requests. */
  abortOf(app: AppLink): void {
    for (const { request, app: owner } of [...this.#byId.values()]) {
      if (owner === app) request.abort(503, [RETRY_AFTER]);
    }
  }

  close(): void {
    for (const { request } of this.#byId.values()) request.close();
    this.#byId.clear();
  }
}
