import type { EngineContext } from './context.ts';
import type { Dialog } from './dialog.ts';
import type { HopUser, Way } from './hop-walk.ts';
import { header, type SipResponse } from './message.ts';
import { parseNumber } from './scanner.ts';
import { minSessionOf, timerHeaders } from './session-expires.ts';
import type { SessionTimer } from './session-timer.ts';
import { glareWaitMs, type InDialogRequests, isBusy } from './uac-in-dialog.ts';
import { waysInDialog } from './ways.ts';
import type { SaidRequest } from './write-request.ts';

/** ms until the next try, where the peer does not say how long it wants. */
const RETRY_MS = 5_000;
/** The longest interval that a peer may want by its 422. */
const MOST_SESSION_SECONDS = 86_400;

const noBody = Buffer.alloc(0);

/**
 * Refreshes of a session that are ours to send (RFC 4028 §10): UPDATE without SDP where the peer takes it, else a
 * re-INVITE with our SDP as it stands, which is acknowledged here; the application hears of neither. A 2xx begins the
 * next interval. A call that the peer does not answer for, or does not know, is ended; anything else is tried again until
 * the time is up.
 */
export class SessionRefresh {
  readonly #context: EngineContext;
  readonly #requests: InDialogRequests;
  readonly #end: (dialog: Dialog) => void;

  /** @param end ends a dialog that cannot be refreshed */
  constructor(context: EngineContext, requests: InDialogRequests, end: (dialog: Dialog) => void) {
    this.#context = context;
    this.#requests = requests;
    this.#end = end;
  }

  refresh(dialog: Dialog): void {
    const timer = dialog.sessionTimer;
    if (timer === undefined) return;
    const ways = waysInDialog(this.#context, dialog);
    if (ways instanceof Promise) void ways.then((found) => this.#send(dialog, timer, found));
    else this.#send(dialog, timer, ways);
  }

  #send(dialog: Dialog, timer: SessionTimer, ways: readonly Way[]): void {
    // The call has ended, or was refreshed by another request, while the name was looked up.
    if (dialog.sessionTimer !== timer || !this.#context.dialogs.has(dialog)) return;
    if (isBusy(dialog) || dialog.ourUpdate) {
      timer.refreshIn(RETRY_MS);
      return;
    }
    this.#context.stats.sessionRefreshes += 1;
    const said = refreshOf(dialog, timer);
    this.#requests.send(dialog, said, ways, this.#userFor(dialog, timer, said, ways[0] as Way));
  }

  #userFor(dialog: Dialog, timer: SessionTimer, said: SaidRequest, way: Way): HopUser {
    // A 2xx has begun a timer of its own, which is not this one.
    const current = (): boolean => dialog.sessionTimer === timer && this.#context.dialogs.has(dialog);
    return {
      response: (response) => {
        const { status } = response;
        if (said.method === 'INVITE' && status >= 200 && status < 300) this.#acknowledge(dialog, way);
        if (status >= 200 && current()) this.#judge(dialog, timer, said.method, response);
      },
      failed: (status) => {
        if (!current()) return;
        if (status === 408) this.#end(dialog);
        else timer.refreshIn(RETRY_MS);
      },
    };
  }

  /** What the refusal of a refresh means. */
  #judge(dialog: Dialog, timer: SessionTimer, method: string, response: SipResponse): void {
    const { status } = response;
    const wanted = minSessionOf(response);
    if (status === 408 || status === 481) this.#end(dialog);
    else if (status === 491) timer.refreshIn(glareWaitMs(dialog));
    else if (status === 422 && wanted > timer.minSeconds && wanted <= MOST_SESSION_SECONDS) {
      timer.minSeconds = wanted;
      this.refresh(dialog);
    } else if (method === 'UPDATE' && (status === 405 || status === 501) && dialog.localSdp !== undefined) {
      dialog.peerTakesUpdate = false;
      this.refresh(dialog);
    } else timer.refreshIn(retryAfterMs(response));
  }

  #acknowledge(dialog: Dialog, way: Way): void {
    const ack = { method: 'ACK', headers: [], body: noBody };
    if (dialog.ourInvite !== undefined) this.#requests.acknowledge(dialog, dialog.ourInvite, ack, way).send();
  }
}

/** Without an SDP of ours a re-INVITE would ask for an offer that nobody here can answer. */
function refreshOf(dialog: Dialog, { seconds, minSeconds }: SessionTimer): SaidRequest {
  const headers = timerHeaders(Math.max(seconds, minSeconds), minSeconds, true);
  const update = dialog.peerTakesUpdate || dialog.localSdp === undefined;
  return update
    ? { method: 'UPDATE', headers, body: noBody }
    : { method: 'INVITE', headers, body: dialog.localSdp ?? noBody };
}

const retryAfterMs = (response: SipResponse): number => {
  const seconds = parseNumber(/^\s*(\d+)/.exec(header(response, 'Retry-After') ?? '')?.[1] ?? '', 3_600);
  return Math.max(RETRY_MS, (seconds ?? 0) * 1000);
};
