import { type LookupAddress, lookup as resolve } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { Agent, type Dispatcher, request } from 'undici';
import type { Clock } from '../clock.ts';
import { signature } from './signature.ts';
import { isPublicAddress, targetProblem } from './target-guard.ts';

/** An event on its way, with all that an attempt needs. */
export interface Message {
  deliveryId: string;
  url: string;
  secret: string;
  /** The envelope as JSON; the same bytes in every attempt. */
  body: string;
  /** Attempts before this one. */
  retryCount: number;
  /** When the event came to be, wall clock in ms. */
  originalAt: number;
}

/**
 * What came of an attempt: an HTTP status, or why there is none. `ours`: this machine had nothing to send with, which says
 * nothing of the endpoint.
 */
export type Answer =
  | { status: number; error: null; ours?: never }
  | { status: null; error: string; ours?: boolean };

export interface SenderOptions {
  clock: Clock;
  allowPrivate: boolean;
  /** For all of an attempt, ms; the contract's 30 s. */
  timeoutMs?: number;
  /** Stands in for the connections to the outside. */
  dispatcher?: Dispatcher;
  /** Stands in for DNS. */
  resolve?: typeof resolve;
}

const TIMEOUT_MS = 30_000;
const CONNECT_MS = 10_000;
/** Shorter than any server's own, so that no request meets a connection that is being closed. */
const KEEP_ALIVE_MS = 1000;
/** Of an answer's body so much is read, and dropped; the connection of a longer one is closed. */
const ANSWER_MOST_BYTES = 16_384;
const ERROR_MOST = 300;

/** Sends one attempt of a delivery: signed, timed, to the public internet only (contract §8). Redirects are not followed. */
export class Sender {
  readonly #options: SenderOptions;
  readonly #timeoutMs: number;
  readonly #dispatcher: Dispatcher;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#dispatcher =
      options.dispatcher ??
      new Agent({
        allowH2: false,
        connect: { timeout: CONNECT_MS, lookup: guardedLookup(options) },
        headersTimeout: this.#timeoutMs,
        bodyTimeout: this.#timeoutMs,
        keepAliveTimeout: KEEP_ALIVE_MS,
        keepAliveMaxTimeout: KEEP_ALIVE_MS,
      });
  }

  /** Never throws: what goes wrong is the answer. @param signal ends the attempt before its time */
  async send(message: Message, signal: AbortSignal): Promise<Answer> {
    const { clock, allowPrivate } = this.#options;
    const problem = targetProblem(message.url, allowPrivate);
    if (problem) return { status: null, error: `the address of the endpoint ${problem}` };
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    const either = AbortSignal.any([signal, timeout]);
    try {
      const { statusCode, body } = await request(message.url, {
        method: 'POST',
        dispatcher: this.#dispatcher,
        headers: headersOf(message, clock.now()),
        body: message.body,
        signal: either,
      });
      await body.dump({ limit: ANSWER_MOST_BYTES, signal: either }).catch(() => undefined);
      return { status: statusCode, error: null };
    } catch (error) {
      if (timeout.aborted) return { status: null, error: `no answer within ${this.#timeoutMs / 1000} s` };
      return { status: null, error: wordsOf(error), ours: isOurs(error) };
    }
  }

  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }
}

function headersOf(message: Message, now: number): Record<string, string> {
  return {
    'Content-Type': 'application/json',
    'User-Agent': 'Kallglot-Webhooks/1',
    'Kallglot-Signature': signature(message.secret, now, message.body),
    'Kallglot-Webhook-Id': message.deliveryId,
    'Kallglot-Retry-Count': String(message.retryCount),
    'Kallglot-Original-Timestamp': String(Math.floor(message.originalAt / 1000)),
  };
}

/** No more files, ports or memory for a connection. */
const scarcity: ReadonlySet<unknown> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL']);

function isOurs(error: unknown): boolean {
  const { code, errors = [] } = error as { code?: string; errors?: { code?: string }[] };
  return scarcity.has(code) || errors.some((each) => scarcity.has(each.code));
}

/** Errors of several addresses come as one AggregateError without words of its own. */
function wordsOf(error: unknown): string {
  const { message, code, errors } = error as { message?: string; code?: string; errors?: Error[] };
  return (message || errors?.[0]?.message || code || 'the attempt failed').slice(0, ERROR_MOST);
}

/** DNS that refuses a name if any of its addresses is not public; the connection is made to what was checked here. */
function guardedLookup({ allowPrivate, resolve: ask = resolve }: SenderOptions): LookupFunction {
  return (hostname, options, callback) => {
    ask(hostname, { ...options, all: true }, (error, found: LookupAddress[]) => {
      const first = found?.[0];
      if (error || first === undefined) return callback(error ?? new Error(`${hostname} has no address`), '');
      if (!allowPrivate && !found.every(({ address }) => isPublicAddress(address)))
        return callback(new Error('the endpoint is not on the public internet'), '');
      if (options.all) return callback(null, found);
      callback(null, first.address, first.family);
    });
  };
}
