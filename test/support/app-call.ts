import type { AppDialog, AppRequest } from './engine-app.ts';

/** What drachtio-srf tells of a call that it places. */
interface OutgoingRequest extends AppRequest {
  cancel(callback: (error: unknown) => void): void;
}

interface CallOptions {
  localSdp: string;
  auth?: { username: string; password: string };
  headers?: Record<string, string>;
}

export interface CallingSrf {
  createUAC(
    uri: string,
    options: CallOptions,
    hooks: {
      cbRequest(error: unknown, request: OutgoingRequest): void;
      cbProvisional(response: { status: number }): void;
    },
  ): Promise<AppDialog>;
}

/** A call that the application places: what it hears of it, in order. */
export class AppCall {
  /** Statuses of provisional responses. */
  readonly progress: number[] = [];
  /** Settles with the dialog, or rejects with `{ status }`. */
  readonly answered: Promise<AppDialog>;
  readonly #request = Promise.withResolvers<OutgoingRequest>();

  constructor(srf: CallingSrf, uri: string, options: CallOptions) {
    this.answered = srf.createUAC(uri, options, {
      cbRequest: (error, request) => (error ? this.#request.reject(error) : this.#request.resolve(request)),
      cbProvisional: ({ status }) => this.progress.push(status),
    });
    // Whoever does not ask for it has no interest in its end.
    this.answered.catch(() => undefined);
    this.#request.promise.catch(() => undefined);
  }

  /** Resolves when the engine has taken the CANCEL. */
  async cancel(): Promise<void> {
    const request = await this.#request.promise;
    await new Promise<void>((resolve, reject) => {
      request.cancel((error) => (error ? reject(error) : resolve()));
    });
  }
}
