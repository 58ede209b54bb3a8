import { once } from 'node:events';
import Srf from 'drachtio-srf';
import { AppCall, type CallingSrf } from './app-call.ts';

export const OFFER =
  'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0\r\na=sendrecv\r\n';
export const ANSWER = OFFER.replace('30000', '40000');
export const HOLD = OFFER.replace('o=- 1 1', 'o=- 1 2').replace('sendrecv', 'sendonly');

/** The parts of drachtio-srf that the contract is about; its own types are thinner. */
export interface AppDialog {
  readonly id: string;
  readonly sip: { callId: string; localTag: string; remoteTag: string };
  readonly remote: { sdp: string };
  on(event: string, listener: (...args: never[]) => void): void;
  destroy(): Promise<unknown>;
  modify(sdp: string): Promise<string>;
  request(options: { method: string }): Promise<{ status: number }>;
}

export interface AppRequest {
  readonly method: string;
  readonly body: string;
  get(name: string): string;
  on(event: 'cancel', listener: () => void): void;
}

export interface AppResponse {
  send(
    status: number,
    options?: object,
    callback?: (error: unknown) => void,
    prack?: (request: AppRequest) => void,
  ): void;
}

type Handler = (req: AppRequest, res: AppResponse) => void;

interface SrfApi extends NodeJS.EventEmitter, CallingSrf {
  connect(options: object): void;
  disconnect(): void;
  invite(handler: Handler): void;
  options(handler: Handler): void;
  request(
    uri: string,
    options: { method: string },
    callback: (error: unknown, request: NodeJS.EventEmitter) => void,
  ): void;
  createUAS(
    req: AppRequest,
    res: AppResponse,
    options: { localSdp: string; headers: Record<string, string> },
  ): Promise<AppDialog>;
  proxyRequest(req: AppRequest, destinations: string[], options: object): Promise<ProxyResult>;
}

interface ProxyResult {
  connected: boolean;
  responses: { msgs: { status: number }[] }[];
}

/** What the application noticed, by Call-ID; waited for with `noticed`. */
type Event = { callId: string; what: string; dialog?: AppDialog; detail?: string };

/**
 * A small drachtio-srf application whose user parts say what it does with a call:
 * `answer`, `ring` (180 and no more), `silent` (nothing at all), `busy`, `ring-answer`, `reliable` (183 with SDP that
 * wants a PRACK, then the answer), `timer` (the answer agrees to the Session-Expires of the INVITE), `proxy` (sends it on
 * to the destinations in its header X-Destinations, all at once where X-Forking says `simultaneous`, and stays in the
 * dialog).
 */
export class EngineApp {
  readonly #srf = new Srf() as unknown as SrfApi;
  readonly #events: Event[] = [];

  async connect(options: { host: string; port: number; secret: string }): Promise<void> {
    const srf = this.#srf;
    srf.invite((req, res) => void this.#invite(req, res));
    srf.options((_, res) => res.send(200, { headers: { Allow: 'INVITE, ACK, BYE' } }));
    const connected = once(srf, 'connect') as Promise<[Error | null, string]>;
    srf.connect(options);
    const [error] = await connected;
    if (error) throw error;
  }

  disconnect(): void {
    this.#srf.disconnect();
  }

  /** Calls a peer; the offer is `OFFER`. */
  call(uri: string, options: Partial<ConstructorParameters<typeof AppCall>[2]> = {}): AppCall {
    return new AppCall(this.#srf, uri, { localSdp: OFFER, ...options });
  }

  /** Asks a peer outside of any dialog. @returns the status of its answer */
  async ask(uri: string, method: string): Promise<number> {
    // The answer may come together with the request's own echo.
    return new Promise((resolve, reject) => {
      this.#srf.request(uri, { method }, (error, request) => {
        if (error) reject(error);
        else request.once('response', ({ status }) => resolve(status));
      });
    });
  }

  /** Waits until the application noticed `what` in that call. */
  async noticed(callId: string, what: string, ms = 5_000): Promise<Event> {
    const until = Date.now() + ms;
    for (;;) {
      const found = this.#events.find((event) => event.callId === callId && event.what === what);
      if (found !== undefined) return found;
      if (Date.now() > until)
        throw new Error(`the application did not notice ${what}: ${JSON.stringify(this.#seen(callId))}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** How often it noticed `what` in that call. */
  count(callId: string, what: string): number {
    return this.#seen(callId).filter((seen) => seen === what).length;
  }

  /** Sends a reliable 183 and waits for its PRACK, which drachtio-srf answers by itself. */
  #acknowledged(req: AppRequest, res: AppResponse, note: (what: string) => void): Promise<void> {
    return new Promise((resolve) => {
      const options = { body: ANSWER, headers: { Require: '100rel' } };
      const failed = (error: unknown) => {
        if (error)
          void this.#events.push({ callId: req.get('Call-ID'), what: 'refused', detail: String(error) });
      };
      res.send(183, options, failed, () => {
        note('prack');
        resolve();
      });
    });
  }

  /** Sends an INVITE on, and notes the final responses of its destinations. */
  async #proxy(req: AppRequest, note: (what: string, more: Partial<Event>) => void): Promise<void> {
    const destinations = req.get('X-Destinations').split(/, */);
    const options = { recordRoute: true, forking: req.get('X-Forking'), provisionalTimeout: '5s' };
    const { responses, connected } = await this.#srf.proxyRequest(req, destinations, options);
    const statuses = responses.flatMap(({ msgs }) => msgs.map(({ status }) => status));
    note('proxied', { detail: `${statuses.join(' ')} ${connected ? 'connected' : 'not connected'}` });
  }

  #seen(callId: string): string[] {
    return this.#events.filter((event) => event.callId === callId).map(({ what }) => what);
  }

  async #invite(req: AppRequest, res: AppResponse): Promise<void> {
    const callId = req.get('Call-ID');
    const note = (what: string, more: Partial<Event> = {}): void =>
      void this.#events.push({ callId, what, ...more });
    note('invite', { detail: req.body });
    req.on('cancel', () => note('cancel'));
    const user = /sip:([^@]+)@/.exec(req.get('To'))?.[1];
    if (user === 'silent') return;
    if (user === 'busy') return res.send(486);
    if (user === 'ring') return res.send(180);
    if (user === 'late-200') {
      req.on('cancel', () =>
        res.send(200, { body: ANSWER }, (error) => note('refused', { detail: String(error) })),
      );
      return res.send(180);
    }
    if (user === 'proxy') return await this.#proxy(req, note);
    if (user === 'ring-answer') res.send(180);
    if (user === 'reliable') await this.#acknowledged(req, res, note);
    const localSdp = req.body === '' || req.body === undefined ? OFFER : ANSWER;
    const headers = user === 'timer' ? sessionTimerOf(req) : {};
    const dialog = await this.#srf.createUAS(req, res, { localSdp, headers });
    note('dialog', { dialog });
    dialog.on('ack', (ack: AppRequest) => note('ack', { detail: ack.body }));
    dialog.on('destroy', (_: unknown, reason: string) => note('destroy', { detail: reason }));
    dialog.on('modify', (re: AppRequest, answer: AppResponse) => {
      note('modify', { detail: re.body });
      answer.send(200, { body: ANSWER.replace('sendrecv', 'recvonly') });
    });
    dialog.on('update', (update: AppRequest, answer: AppResponse) => {
      note('update', { detail: update.body });
      answer.send(200, update.body ? { body: ANSWER.replace('sendrecv', 'recvonly') } : {});
    });
  }
}

const sessionTimerOf = (req: AppRequest): Record<string, string> => ({
  'Session-Expires': req.get('Session-Expires'),
  Require: 'timer',
});
