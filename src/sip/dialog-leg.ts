import { checkRequire } from '../admission/admit.ts';
import type { LegCarrier } from '../bridge/leg-carrier.ts';
import { type EndReason, Refusal, reasonOfEnd } from '../errors.ts';
import { extractSdp } from '../sdp/multipart.ts';
import type { LocalMedia, NegotiatedMedia, SdpSession } from '../sdp/sdp-session.ts';
import { ALLOW, refuse, SUPPORTED } from './answers.ts';
import type { CallLeg } from './call-leg.ts';
import { dtmfRelay, dtmfTypes, readDtmf } from './dtmf-info.ts';
import { headerList } from './header-values.ts';
import { answerOptionsInDialog } from './options.ts';
import { sessionTimer } from './session-timer.ts';
import type { SipContext } from './sip-context.ts';
import type { SipDialog, SipRequest, SipResponse } from './srf-port.ts';

/**
 * The SIP dialog of a leg that is up: re-INVITEs become new media settings, BYEs become ends, and the leg's own end
 * becomes a BYE.
 */
export class DialogLeg implements LegCarrier {
  readonly #context: SipContext;
  readonly #leg: CallLeg;
  readonly #dialog: SipDialog;
  readonly #sdp: SdpSession;
  readonly #local: LocalMedia;
  readonly #family: 4 | 6;
  /** CSeq number of the INVITE to which we offered in the 200: its ACK has to bring the answer. */
  #answerDue: string | undefined;

  /** Attaches all listeners; to be called in the tick in which the dialog appears. */
  constructor(
    context: SipContext,
    {
      leg,
      dialog,
      sdp,
      local,
      family,
      lateOffer,
    }: {
      leg: CallLeg;
      dialog: SipDialog;
      sdp: SdpSession;
      local: LocalMedia;
      family: 4 | 6;
      /** The INVITE, where it had no offer and the 200 brings ours. */
      lateOffer: SipRequest | undefined;
    },
  ) {
    this.#context = context;
    this.#leg = leg;
    this.#dialog = dialog;
    this.#sdp = sdp;
    this.#local = local;
    this.#family = family;
    this.#answerDue = lateOffer && cseqOf(lateOffer);
    dialog.on('ack', (request) => this.#onAck(request));
    dialog.on('destroy', (request, reason) => leg.end(endOf(request, reason), true, causeOf(request)));
    dialog.on('modify', (request, response) => this.#onChange(request, response));
    dialog.on('update', (request, response) => this.#onChange(request, response));
    dialog.on('info', (request, response) => this.#onInfo(request, response));
    dialog.on('options', answerOptionsInDialog);
  }

  async hangUp(reason: EndReason): Promise<void> {
    try {
      await this.#dialog.destroy({ headers: { Reason: reasonOfEnd(reason) } });
    } catch (error) {
      this.#context.log.debug({ ...this.#leg.logged, err: error }, 'BYE was not answered');
    }
  }

  async press(digit: string, durationMs: number): Promise<boolean> {
    const { type, body } = dtmfRelay(digit, durationMs);
    try {
      const headers = { 'Content-Type': type };
      const { status } = await this.#dialog.request({ method: 'INFO', headers, body });
      return status < 300;
    } catch (error) {
      this.#context.log.debug({ ...this.#leg.logged, err: error }, 'INFO was not answered');
      return false;
    }
  }

  #onAck(request: SipRequest): void {
    // drachtio-srf may tell of an ACK after the re-INVITE that came behind it.
    if (this.#answerDue !== undefined && this.#answerDue === cseqOf(request)) {
      this.#answerDue = undefined;
      try {
        const { media, moved } = this.#sdp.accept(sdpOf(request) ?? '', this.#local);
        this.#configure(media, moved);
      } catch (error) {
        this.#context.log.info({ ...this.#leg.logged, err: error }, 'the answer in the ACK cannot be used');
        this.#leg.end('error');
        return;
      }
    }
    this.#leg.acknowledged();
  }

  /** A re-INVITE or an UPDATE; a refused one leaves the call as it was (RFC 3261 §14.2, RFC 3311 §5.2). */
  #onChange(request: SipRequest, response: SipResponse): void {
    if (this.#lacks(request, response)) return;
    try {
      const offer = sdpOf(request);
      if (offer !== undefined && request.method === 'UPDATE' && this.#answerDue !== undefined) {
        // Our own offer waits for the answer in the ACK.
        response.send(491);
        return;
      }
      const body = this.#sdpFor(request, offer);
      const headers = { Allow: ALLOW, ...sessionTimer(request, this.#context.sessionTimers) };
      if (body === undefined) response.send(200, { headers });
      else response.send(200, { headers: { ...headers, 'Content-Type': 'application/sdp' }, body });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      refuse(this.#context, request, response, error);
    }
  }

  /** An answer; an offer of ours where a re-INVITE brings none; nothing where an UPDATE brings none. */
  #sdpFor(request: SipRequest, offer: string | undefined): string | undefined {
    if (offer !== undefined) return this.#answer(offer);
    return request.method === 'INVITE' ? this.#offer(request) : undefined;
  }

  #offer(reinvite: SipRequest): string {
    this.#answerDue = cseqOf(reinvite);
    return this.#sdp.offer(this.#local, this.#family);
  }

  #answer(offer: string): string {
    const { sdp, media, moved } = this.#sdp.answer(offer, this.#local);
    this.#configure(media, moved);
    return sdp;
  }

  #configure(media: NegotiatedMedia, moved: boolean): void {
    this.#leg.configure({ ...media, moved });
  }

  /** Refuses what requires an extension that is not there (RFC 3261 §8.2.2.3). @returns whether it did */
  #lacks(request: SipRequest, response: SipResponse): boolean {
    const fault = checkRequire({ require: headerList(request.get('Require')), supported: SUPPORTED });
    if (fault === null) return false;
    const Unsupported = fault.unsupported?.join(', ') ?? '';
    refuse(this.#context, request, response, new Refusal(fault.refused), { Unsupported });
    return true;
  }

  /** Key presses of phones that do not send them as RTP; one without a body asks whether we are there. */
  #onInfo(request: SipRequest, response: SipResponse): void {
    if (this.#lacks(request, response)) return;
    const type = (request.get('Content-Type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
    try {
      if (type !== '' && !dtmfTypes.includes(type)) throw new Refusal('content_type_unsupported', type);
      const press = type === '' ? undefined : readDtmf(type, request.body ?? '');
      response.send(200);
      if (press) this.#leg.keyPressed(press);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      refuse(this.#context, request, response, error, { Accept: dtmfTypes.join(', ') });
    }
  }
}

/**
 * The SDP of a message, or undefined when it has no body.
 * @throws Refusal `content_type_unsupported`
 */
export function sdpOf(message: Pick<SipRequest, 'body' | 'get'>): string | undefined {
  if (!message.body) return undefined;
  return extractSdp(message.get('Content-Type') ?? '', message.body);
}

const cseqOf = (request: SipRequest): string => (request.get('CSeq') ?? '').split(' ')[0] as string;

/**
 * The engine ends a call by itself when no ACK came or a session timer ran out, and a drachtio-server when a CANCEL has crossed
 * the 200; else the peer hung up.
 */
function endOf(request: SipRequest, reason: string): EndReason {
  if (request.source !== 'application') return 'hangup';
  if (/ack timeout/i.test(reason)) return 'ack_timeout';
  return /cancel/i.test(reason) ? 'canceled' : 'session_timer';
}

/** The Q.850 cause of a BYE (RFC 3326), where it names one; a PBX that knows none may write 0. */
function causeOf(request: SipRequest): number | undefined {
  const found = /Q\.850\s*;(?:[^,]*;)?\s*cause\s*=\s*(\d{1,3})/i.exec(request.get('Reason') ?? '')?.[1];
  const cause = Number(found);
  return cause >= 1 && cause <= 127 ? cause : undefined;
}
