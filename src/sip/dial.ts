import type { OutboundCall } from '../bridge/dialer.ts';
import { Ended } from '../bridge/ended.ts';
import type { Leg } from '../bridge/leg.ts';
import { type EndReason, Refusal } from '../errors.ts';
import { type LocalMedia, SdpSession } from '../sdp/sdp-session.ts';
import { ACCEPT, ALLOW, answerEarlyUpdate, SUPPORTED } from './answers.ts';
import { DialogLeg, sdpOf } from './dialog-leg.ts';
import { EngineLost } from './drachtio-connection.ts';
import { addressParameter, agentOf } from './header-values.ts';
import { timerWish } from './session-timer.ts';
import type { SipContext } from './sip-context.ts';
import type { SipAnswer, SipDialog } from './srf-port.ts';

/**
 * Places a call: media and pipeline first, so that nobody is rung up for nothing, then the INVITE, its answer, and the
 * leg is like any other. Whatever ends the leg before the answer takes the INVITE back.
 * @returns resolves when the leg is up or has ended; never rejects
 */
export async function placeCall(context: SipContext, leg: Leg, call: OutboundCall): Promise<void> {
  try {
    const { codecs, family, srtp } = call;
    const sdp = new SdpSession({ codecs, srtp, tls: leg.facts.transport === 'tls' });
    const port = await leg.start({ family, timeoutSeconds: call.mediaTimeoutSeconds });
    const local = { address: port.address, rtpPort: port.rtpPort };
    await new Dialing(context, leg, call, sdp, local).done;
  } catch (error) {
    if (!(error instanceof Ended))
      context.log.warn({ ...leg.logged, err: error }, 'a call could not be placed');
    leg.end(reasonOf(error));
  }
  const outcome = leg.wasUp ? 'answered' : (leg.record().reason ?? 'error');
  context.metrics.dials_total.inc({ outcome });
}

/** Why a call ends that did not come as far as its INVITE. */
function reasonOf(error: unknown): EndReason {
  if (error instanceof EngineLost) return 'engine_lost';
  if (!(error instanceof Refusal)) return 'error';
  if (error.code === 'pipeline_unavailable') return 'pipeline_failed';
  return error.code === 'session_ended' ? 'session_ended' : 'error';
}

/** So many answers of forks are kept, should the 200 not repeat its own. */
const FORKS_MOST = 8;

/** An INVITE of ours from its sending to its final answer, and the time that the callee has for it. */
class Dialing {
  readonly done: Promise<void>;
  readonly #context: SipContext;
  readonly #leg: Leg;
  readonly #sdp: SdpSession;
  readonly #local: LocalMedia;
  readonly #family: 4 | 6;
  readonly #keys: OutboundCall['keys'];
  /** Provisional answers with SDP by their To tag: a reliable one may answer our offer, and the 200 not (RFC 3262 §5). */
  readonly #early = new Map<string, SipAnswer>();

  /** @throws Error, Refusal when it cannot be sent */
  constructor(context: SipContext, leg: Leg, call: OutboundCall, sdp: SdpSession, local: LocalMedia) {
    this.#context = context;
    this.#leg = leg;
    this.#sdp = sdp;
    this.#local = local;
    this.#family = call.family;
    this.#keys = call.keys;
    const ended = new Promise<void>((resolve) => leg.signal.addEventListener('abort', () => resolve()));
    const { uri, credentials } = call;
    const answered = Promise.withResolvers<void>();
    const invite = {
      uri,
      credentials,
      localSdp: sdp.offer(local, call.family),
      headers: { ...headersOf(leg, call), ...timerWish(context.sessionTimers) },
    };
    context.log.info({ ...leg.logged, to: uri }, 'a call is placed');
    const srf = context.srf();
    srf.carry(leg);
    const placed = srf.dial(invite, {
      provisional: (answer) => this.#onProvisional(answer),
      update: answerEarlyUpdate,
      answered: (dialog, answer) => {
        this.#onAnswered(dialog, answer);
        answered.resolve();
      },
      failed: (status, detail, contact) => this.#onFailed(status, detail, contact),
    });
    const tooLong = setTimeout(() => leg.dialFailed(408), call.ringSeconds * 1000);
    this.done = Promise.race([ended, answered.promise]).finally(() => clearTimeout(tooLong));
    leg.placed(placed);
  }

  #onProvisional(answer: SipAnswer): void {
    if (answer.status === 100) return;
    this.#reached(answer);
    const fork = toTag(answer);
    if (answer.body && (this.#early.has(fork) || this.#early.size < FORKS_MOST))
      this.#early.set(fork, answer);
  }

  /** A call that has ended meanwhile gets its BYE from the leg; one whose answer we cannot use, too. */
  #onAnswered(dialog: SipDialog, answer: SipAnswer): void {
    const leg = this.#leg;
    const { sdp, local, family } = { sdp: this.#sdp, local: this.#local, family: this.#family };
    const sip = new DialogLeg(this.#context, { leg, dialog, sdp, local, family, lateOffer: undefined });
    if (leg.state !== 'ended') this.#agree(answer);
    leg.answered(sip);
    // drachtio-srf has acknowledged the 200.
    leg.acknowledged();
    if (this.#keys && leg.state === 'up') leg.press(this.#keys);
  }

  #agree(answer: SipAnswer): void {
    this.#reached(answer);
    try {
      const sdp = sdpOf(answer) ?? sdpOf(this.#early.get(toTag(answer)) ?? answer) ?? '';
      const { media } = this.#sdp.accept(sdp, this.#local);
      this.#leg.configure({ ...media, moved: false, calleeAddress: answer.source_address });
    } catch (error) {
      this.#context.log.info({ ...this.#leg.logged, err: error }, 'the answer to our call cannot be used');
      this.#leg.dialFailed(488);
    }
  }

  #onFailed(status: number, detail: string, contact: string | undefined): void {
    if (this.#leg.state === 'ended') return;
    const why = { sip_status: status, detail, contact };
    this.#context.log.info({ ...this.#leg.logged, ...why }, 'a dial failed');
    this.#leg.dialFailed(status);
  }

  #reached(answer: SipAnswer): void {
    const { source_address: sourceAddress, protocol: transport, status } = answer;
    const userAgent = agentOf(answer.get('Server') ?? answer.get('User-Agent'));
    this.#leg.reached({ sourceAddress, transport, userAgent }, status);
  }
}

const toTag = (answer: SipAnswer): string => addressParameter(answer.get('To') ?? '', 'tag') ?? '';

/** What the engine does not write itself; a challenged INVITE goes out once more with the same. */
function headersOf(leg: Leg, { from, to, assertsCaller, headers }: OutboundCall): Record<string, string> {
  const { callId, from: uri } = leg.facts;
  const name = from.name === null ? '' : `"${from.name.replace(/["\\]/g, "'")}" `;
  return {
    ...headers,
    Supported: SUPPORTED.join(', '),
    // In lower case, as drachtio-srf writes it when it answers a challenge.
    'call-id': callId as string,
    From: `${name}<${uri}>`,
    To: `<${to}>`,
    Allow: ALLOW,
    Accept: ACCEPT,
    ...(assertsCaller && { 'P-Asserted-Identity': `${name}<${uri}>` }),
  };
}
