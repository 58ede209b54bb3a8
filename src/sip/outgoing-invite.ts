import { isIP } from 'node:net';
import type { PlacedCall } from '../bridge/dialer.ts';
import { ChallengeAnswers } from './challenge-answers.ts';
import type { DrachtioDialog } from './drachtio-connection.ts';
import { longerWish } from './session-timer.ts';
import type { DialRequest, SipAnswer, SipRequest, SipResponse } from './srf-port.ts';

/** drachtio-srf's `createUAC` with callbacks, as far as it is used here. */
export type CreateUac = (
  uri: string,
  options: {
    localSdp: string;
    headers: Record<string, string>;
    /** URI of the next hop, where it is another than the URI says. */
    proxy: string | undefined;
  },
  progress: {
    cbRequest: (error: unknown, request?: SentInvite) => void;
    cbProvisional: (answer: SipAnswer) => void;
  },
  callback: (error: unknown, dialog?: DrachtioDialog) => void,
) => void;

/** The INVITE as the engine has sent it. */
interface SentInvite {
  cancel(callback: (error: unknown) => void): void;
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
 * the end, nor is a challenge: the INVITE goes out once more, with the session interval that the peer wants, or with
 * credentials. drachtio-srf's own answer to a challenge knows MD5 alone, leaves TCP and TLS for UDP, and has no end where a
 * peer rings before it asks again.
 */
export class OutgoingInvite implements PlacedCall {
  readonly #createUac: CreateUac;
  readonly #what: DialRequest;
  readonly #events: OutgoingEvents;
  /** Of the latest INVITE. */
  #headers: Readonly<Record<string, string>>;
  #longer = 0;
  readonly #challenges: ChallengeAnswers | undefined;
  /** Who has challenged us is asked again, and not another server of the same name. */
  #proxy: string | undefined;
  readonly #final = Promise.withResolvers<void>();
  #request: SentInvite | undefined;
  #canceled = false;

  /** @throws Error when the link is down */
  constructor(createUac: CreateUac, request: DialRequest, events: OutgoingEvents) {
    this.#createUac = createUac;
    this.#what = request;
    this.#events = events;
    this.#headers = request.headers;
    this.#challenges = request.credentials === null ? undefined : new ChallengeAnswers(request.credentials);
    this.#send();
  }

  #send(): void {
    const { uri, localSdp } = this.#what;
    const headers = { ...this.#headers, ...this.#challenges?.headers('INVITE', uri) };
    const options = { localSdp, headers, proxy: this.#proxy };
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
    if (this.#canceled) this.#sendCancel();
  }

  /** By itself drachtio-srf answers every UPDATE with our first offer. */
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

  /** After a 422 (RFC 4028 §7.3). @returns whether the INVITE was sent once more */
  #sentWithLongerTimer({ status, res }: SipFailure): boolean {
    if (status !== 422 || res === undefined || this.#longer === LONGER_MOST) return false;
    const wish = longerWish(this.#headers, res);
    if (wish === undefined || !this.#sentOnceMore(res, wish)) return false;
    this.#longer++;
    return true;
  }

  /** After a 401 or 407. @returns whether the INVITE was sent once more */
  #sentWithCredentials({ status, res }: SipFailure): boolean {
    if ((status !== 401 && status !== 407) || res === undefined || this.#canceled) return false;
    if (this.#challenges?.take(res) !== true) return false;
    this.#proxy = isNumeric(this.#what.uri) ? undefined : whoAnswered(res);
    return this.#sentOnceMore(res, {});
  }

  /** In the same call: the same Call-ID, From and To, and the next CSeq (RFC 3261 §8.1.3.5). @returns whether it was sent */
  #sentOnceMore(answer: SipAnswer, headers: Record<string, string>): boolean {
    const [from, cseq] = [answer.get('From'), Number.parseInt(answer.get('CSeq') ?? '', 10)];
    if (this.#canceled || from === undefined || Number.isNaN(cseq)) return false;
    this.#headers = { ...this.#headers, ...headers, From: from, CSeq: `${cseq + 1} INVITE` };
    this.#request = undefined;
    this.#send();
    return true;
  }

  #onFinal(error: unknown, dialog: DrachtioDialog | undefined): void {
    const failure = error as SipFailure;
    if (dialog === undefined && (this.#sentWithLongerTimer(failure) || this.#sentWithCredentials(failure)))
      return;
    this.#final.resolve();
    // There is nothing left to cancel.
    this.#canceled = true;
    if (dialog !== undefined) {
      // For challenges of what we send in the call, which drachtio-srf answers.
      dialog.auth = this.#what.credentials ?? undefined;
      this.#events.answered(dialog);
      return;
    }
    const { status, reason, message, res } = failure;
    const contact = status !== undefined && status >= 300 && status < 400 ? res?.get('Contact') : undefined;
    this.#events.failed(status ?? 503, reason ?? message ?? String(error), contact);
  }
}

/** Whether the host of a URI is an address, which leads to one server alone. */
function isNumeric(uri: string): boolean {
  const host = /^sips?:(?:[^@]*@)?(\[[^\]]*\]|[^:;?]*)/i.exec(uri)?.[1] ?? '';
  return isIP(host.replace(/^\[|\]$/g, '')) !== 0;
}

/** In a URI an IPv6 address stands in brackets. */
function whoAnswered({ source_address: address, source_port: port, protocol }: SipAnswer): string {
  return `sip:${isIP(address) === 6 ? `[${address}]` : address}:${port};transport=${protocol}`;
}
