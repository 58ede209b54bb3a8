import type { Dialog } from './dialog.ts';
import {
  type HeaderField,
  headersOf,
  type SipMessage,
  type SipRequest,
  type SipResponse,
} from './message.ts';
import {
  LEAST_SESSION_SECONDS,
  minSessionOf,
  sessionExpiresOf,
  supportsTimer,
  timerHeaders,
} from './session-expires.ts';
import { SessionTimer } from './session-timer.ts';
import type { EngineClock } from './timers.ts';
import type { SaidRequest } from './write-request.ts';

/** The calls whose timers run, and what comes of one. */
interface Calls {
  /** Not before its 2xx, nor any more when a BYE has overtaken the answer that names the interval. */
  isUp(dialog: Dialog): boolean;
  refresh(dialog: Dialog): void;
  expired(dialog: Dialog): void;
}

/**
 * The session timers of all dialogs, whoever called (RFC 4028). Every 2xx to an INVITE or UPDATE, sent or received, says
 * what holds from then on; one without Session-Expires ends the timer, and so does the end of the dialog. Negotiating it
 * for a call is the application's.
 */
export class SessionTimers {
  readonly #clock: EngineClock;
  readonly #minSeconds: number;
  readonly #calls: Calls;

  /** @param minSeconds the shortest interval that a peer may ask for in a dialog */
  constructor(clock: EngineClock, minSeconds: number, calls: Calls) {
    this.#clock = clock;
    this.#minSeconds = Math.max(minSeconds, LEAST_SESSION_SECONDS);
    this.#calls = calls;
  }

  /** Min-SE for the 422 to a request in a dialog that asks for too short an interval (RFC 4028 §9). */
  refuses(request: SipRequest): HeaderField | undefined {
    if (!isRefresh(request) || !supportsTimer(request)) return undefined;
    const seconds = sessionExpiresOf(request)?.seconds ?? this.#minSeconds;
    return seconds < this.#minSeconds ? { name: 'Min-SE', value: String(this.#minSeconds) } : undefined;
  }

  /** A 2xx of ours to a request of the peer. */
  answered(dialog: Dialog, request: SipRequest, response: SipResponse): void {
    if (!isRefresh(request)) return;
    learn(dialog, request, response.body);
    this.#agree(dialog, 'uas', request, response);
  }

  /** A 2xx of the peer to a request of ours. */
  succeeded(dialog: Dialog, request: SipRequest, response: SipResponse): void {
    if (!isRefresh(request)) return;
    learn(dialog, response, request.body);
    this.#agree(dialog, 'uac', request, response);
  }

  /** A request of ours, which keeps the timer running where the application does not speak of it. */
  carriedOn<Said extends SaidRequest>({ sessionTimer }: Dialog, said: Said): Said {
    const silent = !said.headers.some(({ name }) => name === 'Session-Expires');
    if (sessionTimer === undefined || !silent || !isRefresh(said)) return said;
    const { seconds, minSeconds, weRefresh } = sessionTimer;
    return { ...said, headers: [...said.headers, ...timerHeaders(seconds, minSeconds, weRefresh)] };
  }

  #agree(dialog: Dialog, we: 'uac' | 'uas', request: SipRequest, response: SipResponse): void {
    const before = dialog.sessionTimer;
    before?.stop();
    dialog.sessionTimer = undefined;
    const agreed = sessionExpiresOf(response);
    if (agreed === undefined || !this.#calls.isUp(dialog)) return;
    const minSeconds = Math.max(minSessionOf(request), before?.minSeconds ?? LEAST_SESSION_SECONDS);
    // Where nobody is named we refresh: twice is better than never.
    const weRefresh = (agreed.refresher ?? we) === we;
    const { refresh, expired } = this.#calls;
    dialog.sessionTimer = new SessionTimer(
      this.#clock,
      { seconds: agreed.seconds, minSeconds, weRefresh },
      { refresh: () => refresh(dialog), expired: () => expired(dialog) },
    );
  }
}

const isRefresh = ({ method }: { method: string }): boolean => method === 'INVITE' || method === 'UPDATE';

/** What a refresh will need: whether the peer takes UPDATE, and the SDP of our side. */
function learn(dialog: Dialog, theirs: SipMessage, ours: Buffer): void {
  const allowed = headersOf(theirs, 'Allow');
  if (allowed.length > 0) dialog.peerTakesUpdate = allowed.includes('UPDATE');
  rememberSdp(dialog, ours);
}

/** Keeps our SDP as the peer has it now; also called with the ACK that answers an offer of the peer. */
export function rememberSdp(dialog: Dialog, body: Buffer): void {
  // A copy: the bytes around it need not stay for as long as the call.
  if (body.toString('latin1', 0, 3) === 'v=0') dialog.localSdp = Buffer.from(body);
}
