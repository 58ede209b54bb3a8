import type { PlacedCall } from '../bridge/dialer.ts';
import type { DrachtioDialog } from './drachtio-connection.ts';
import { longerWish } from './session-timer.ts';
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

/** How often a 422 is answered: each proxy on the way may want a longer session interval than the one before. */
const LONGER_MOST = 3;

/** An engine lets a canceled INVITE go after 32 s (RFC 3261 §9.1); one that is lost says nothing at all. */
const CANCELED_MS = 33_000;

/**
 * An INVITE of ours, by `createUAC`. It can be canceled from the start: drachtio-srf has no request to cancel until the
 * engine has echoed it, the engine has none until a provisional answer has come, and each holds the CANCEL back until
 * then. What drachtio-srf calls an error is an answer of the peer, or of the engine that could not send. A 422 is not
 * the end: the INVITE goes out once more, with the session interval that the peer wants.
 */
export class OutgoingInvite implements PlacedCall {
  readonly #createUac: CreateUac;
  readonly #what: DialRequest;
  readonly #events: OutgoingEvents;
  /** Of the latest INVITE. */
  #headers: Readonly<Record<string, string>>;
  #longer = 0;
  readonly #final = Promise.withResolvers<void>();
  #request: SentInvite | undefined;
  #canceled = false;

  /** @throws Error when the link is down */
  constructor(createUac: CreateUac, request: DialRequest, events: OutgoingEvents) {
    this.#createUac = createUac;
    this.#what = request;
    this.#events = events;
    this.#headers = request.headers;
    this.#send();
  }

  #send(): void {
    const { uri, localSdp, credentials } = this.#what;
    const auth = credentials === null ? undefined : authenticate(credentials);
    // drachtio-srf writes into the headers when it answers a challenge.
    const options = { localSdp, headers: { ...this.#headers }, auth };
    const progress = {
      cbRequest: (_error: unknown, sent?: SentInvite) => this.#onSent(sent),
      cbProvisional: (answer: SipAnswer) => this.#events.provisional(answer),
    };
    this.#createUac(uri, options, progress, (error, dialog) => this.#onFinal(error, dialog));
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

  /** After a 422: the same Call-ID, From and To, and the next CSeq (RFC 4028 §7.3). @returns whether it was sent */
  #sentWithLongerTimer({ status, res }: SipFailure): boolean {
    if (status !== 422 || res === undefined || this.#canceled || this.#longer === LONGER_MOST) return false;
    const wish = longerWish(this.#headers, res);
    const [from, cseq] = [res.get('From'), Number.parseInt(res.get('CSeq') ?? '', 10)];
    if (wish === undefined || from === undefined || Number.isNaN(cseq)) return false;
    this.#longer++;
    this.#headers = { ...this.#headers, ...wish, From: from, CSeq: `${cseq + 1} INVITE` };
    this.#request = undefined;
    this.#send();
    return true;
  }

  #onFinal(error: unknown, dialog: DrachtioDialog | undefined): void {
    if (dialog === undefined && this.#sentWithLongerTimer(error as SipFailure)) return;
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
