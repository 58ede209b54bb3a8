import type { PlacedCall } from '../bridge/dialer.ts';
import type { DrachtioDialog } from './engine-link.ts';
import type { DialRequest, SipAnswer, SipRequest, SipResponse } from './srf-port.ts';

/** drachtio-srf's `createUAC` with callbacks, as far as it is used here. */
export type CreateUac = (
  uri: string,
  options: {
    localSdp: string;
    headers: Record<string, string>;
    auth: Authenticate | undefined;
  },
  progress: {
    cbRequest: (error: unknown, request?: SentInvite) => void;
    cbProvisional: (answer: SipAnswer) => void;
  },
  callback: (error: unknown, dialog?: DrachtioDialog) => void,
) => void;

type Authenticate = (
  request: unknown,
  challenge: { source_address: string },
  callback: (error: null, username: string, password: string) => void,
) => void;

/** The INVITE as the engine has sent it; after a challenge it stands for the second one. */
interface SentInvite {
  cancel(callback: (error: unknown) => void): void;
  /** The second INVITE, with credentials, takes the place of this one. */
  on(event: 'authenticate', listener: (next: SentInvite) => void): void;
  on(event: 'update', listener: OutgoingEvents['update']): void;
  removeAllListeners(event: 'update'): void;
}

/** drachtio-srf's error, which holds the answer; one without a status says why the engine sent nothing. */
interface SipFailure {
  status?: number;
  reason?: string;
  message?: string;
  res?: SipAnswer;
}

interface OutgoingEvents {
  provisional(answer: SipAnswer): void;
  update(request: SipRequest, response: SipResponse): void;
  answered(dialog: DrachtioDialog): void;
  failed(status: number, detail: string, contact?: string): void;
}

/** An engine lets a canceled INVITE go after 32 s (RFC 3261 §9.1); one that is lost says nothing at all. */
const CANCELED_MS = 33_000;

/**
 * An INVITE of ours, by `createUAC`. It can be canceled from the start: drachtio-srf has no request to cancel until the
 * engine has echoed it, the engine has none until a provisional answer has come, and each holds the CANCEL back until
 * then. What drachtio-srf calls an error is an answer of the peer, or of the engine that could not send.
 */
export class OutgoingInvite implements PlacedCall {
  readonly #events: OutgoingEvents;
  readonly #final = Promise.withResolvers<void>();
  #request: SentInvite | undefined;
  #canceled = false;

  /** @throws Error when the link is down */
  constructor(createUac: CreateUac, request: DialRequest, events: OutgoingEvents) {
    this.#events = events;
    const { uri, localSdp, credentials } = request;
    const auth = credentials === null ? undefined : authenticate(credentials);
    // drachtio-srf writes into the headers when it answers a challenge.
    const options = { localSdp, headers: { ...request.headers }, auth };
    const progress = {
      cbRequest: (_error: unknown, sent?: SentInvite) => this.#onSent(sent),
      cbProvisional: (answer: SipAnswer) => events.provisional(answer),
    };
    createUac(uri, options, progress, (error, dialog) => this.#onFinal(error, dialog));
  }

  async cancel(): Promise<void> {
    if (!this.#canceled) {
      this.#canceled = true;
      this.#sendCancel();
    }
    const givenUp = setTimeout(() => this.#final.resolve(), CANCELED_MS);
    await this.#final.promise;
    clearTimeout(givenUp);
  }

  #onSent(sent: SentInvite | undefined): void {
    this.#request = sent;
    if (sent !== undefined) this.#takeUpdates(sent);
    sent?.on('authenticate', (next) => this.#takeUpdates(next));
    if (this.#canceled) this.#sendCancel();
  }

  /** By itself drachtio-srf answers every UPDATE with our first offer, and after a challenge none at all. */
  #takeUpdates(sent: SentInvite): void {
    queueMicrotask(() => {
      sent.removeAllListeners('update');
      sent.on('update', (request, response) => this.#events.update(request, response));
    });
  }

  #sendCancel(): void {
    try {
      // Refused when the final answer has crossed it, which comes in its own way.
      this.#request?.cancel(() => undefined);
    } catch {
      this.#final.resolve();
    }
  }

  #onFinal(error: unknown, dialog: DrachtioDialog | undefined): void {
    this.#final.resolve();
    // There is nothing left to cancel.
    this.#canceled = true;
    if (dialog !== undefined) {
      this.#events.answered(dialog);
      return;
    }
    const { status, reason, message, res } = error as SipFailure;
    const contact = status !== undefined && status >= 300 && status < 400 ? res?.get('Contact') : undefined;
    this.#events.failed(status ?? 503, reason ?? message ?? String(error), contact);
  }
}

/** A challenge's source, to which the second INVITE goes, is an address: in a URI, IPv6 stands in brackets. */
const authenticate =
  ({ username, password }: { username: string; password: string }): Authenticate =>
  (_request, challenge, callback) => {
    if (challenge.source_address.includes(':')) challenge.source_address = `[${challenge.source_address}]`;
    callback(null, username, password);
  };
