import type { PlacedCall } from '../bridge/dialer.ts';
import type { NewRefusal } from '../telemetry/refusal-book.ts';

/** What the application uses of drachtio-srf, in types of ours; `drachtio-connection.ts` is the adapter behind it. */

type SipMethod =
  | 'invite'
  | 'register'
  | 'options'
  | 'info'
  | 'message'
  | 'notify'
  | 'prack'
  | 'publish'
  | 'refer'
  | 'subscribe'
  | 'update';

export interface SipRequest {
  readonly method: string;
  readonly uri: string;
  readonly body: string | undefined;
  /** `network`, or `application` for a request that the engine made itself. */
  readonly source: string;
  readonly source_address: string;
  readonly source_port: number;
  readonly protocol: string;
  /** All headers; names as they came where they begin with X-, else in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** All values of a header, joined by commas; undefined when it is absent. */
  get(header: string): string | undefined;
  on(event: 'cancel', listener: () => void): void;
  /** An UPDATE that came while this INVITE had no answer; it must be answered with the response beside it. */
  on(event: 'update', listener: InDialogListener): void;
}

interface ResponseOptions {
  headers?: Record<string, string>;
  body?: string;
}

export interface SipResponse {
  /** Whether a final response was sent. */
  readonly finalResponseSent: boolean;
  send(status: number, options?: ResponseOptions): void;
  send(status: number, reason: string, options?: ResponseOptions): void;
}

type InDialogListener = (request: SipRequest, response: SipResponse) => void;

export interface SipDialog {
  on(event: 'ack', listener: (request: SipRequest) => void): void;
  /** The peer's BYE, or the engine's own (`request.source` is `application`, `reason` its text). */
  on(event: 'destroy', listener: (request: SipRequest, reason: string) => void): void;
  /** A re-INVITE, or another request that the dialog takes; it must be answered with `response`. */
  on(event: 'modify' | 'update' | 'info' | 'options', listener: InDialogListener): void;
  /** Sends a request in the dialog. Resolves with its final answer, whatever that is. */
  request(options: {
    method: 'INFO';
    headers: Record<string, string>;
    body: string;
  }): Promise<{ readonly status: number }>;
  /** Hangs up. Resolves when the BYE was answered. */
  destroy(options: { headers: Record<string, string> }): Promise<unknown>;
}

/** What an INVITE of ours was answered. */
export interface SipAnswer {
  readonly status: number;
  readonly reason: string;
  readonly body: string | undefined;
  readonly source_address: string;
  readonly source_port: number;
  readonly protocol: string;
  get(header: string): string | undefined;
}

/** A call that we place. */
export interface DialRequest {
  /** Request-URI; the engine finds out where it leads. */
  uri: string;
  localSdp: string;
  headers: Readonly<Record<string, string>>;
  /** For whoever challenges us; null: no challenge is answered. */
  credentials: { username: string; password: string } | null;
}

/** What becomes of it: provisional answers, then one of the others, once; or nothing more, when the engine is lost. */
export interface DialEvents {
  provisional(answer: SipAnswer): void;
  /** An UPDATE that came before the final answer; it must be answered with the response beside it. */
  update(request: SipRequest, response: SipResponse): void;
  /** It was answered 200, and that was acknowledged. Runs in the same tick, like `onDialog` of `answer`. */
  answered(dialog: SipDialog, answer: SipAnswer): void;
  /**
   * @param status of the final answer, or 408 or 503 where there was none (RFC 3261 §8.1.3.1)
   * @param contact where a redirection (3xx) leads
   */
  failed(status: number, detail: string, contact?: string): void;
}

/** A leg of the connection's; `bridge/leg.ts` has all of it. */
export interface CarriedLeg {
  /** Aborted when it has ended. */
  readonly signal: AbortSignal;
  end(reason: 'engine_lost', gone: true): void;
}

/** One connection to a SIP engine. */
export interface SrfConnection {
  /** From here on the leg lives by this connection, and ends with `engine_lost` when that is lost. */
  carry(leg: CarriedLeg): void;
  /**
   * Answers 200 and makes the dialog. `onDialog` runs in the same tick as the engine's confirmation, so that no ACK,
   * BYE or re-INVITE can come before the listeners that it attaches.
   */
  answer(
    request: SipRequest,
    response: SipResponse,
    options: { localSdp: string; headers: Record<string, string> },
    onDialog: (error: Error | undefined, dialog: SipDialog | undefined) => void,
  ): void;
  /**
   * Sends an INVITE. Redirections are failures. A 200 that comes in spite of a CANCEL is `answered` all the same.
   * @throws Error when the connection is lost
   */
  dial(request: DialRequest, events: DialEvents): PlacedCall;
}

export type RequestHandler = (request: SipRequest, response: SipResponse) => Promise<void>;

/** What is routed to us, by method; what comes in a dialog and no dialog of ours takes; and what was refused before it was read. */
export type SipHandlers = Readonly<Partial<Record<SipMethod, RequestHandler>>> & {
  refusedInDialog: InDialogListener;
  refusedUnread: (refusal: NewRefusal) => void;
};
