import { afterEach, describe, expect, it, vi } from 'vitest';
import { header, type SipMessage, type SipRequest } from '../../src/sip-engine/message.ts';
import { SessionTimer } from '../../src/sip-engine/session-timer.ts';
import { systemEngineClock } from '../../src/sip-engine/timers.ts';
import {
  DIALOG_ID,
  EngineHarness,
  type RecorderApp,
  type RecorderFlow,
  type RequestParts,
  request,
  response,
  SDP,
} from '../support/engine-harness.ts';
import { OutgoingCall } from '../support/outgoing-call.ts';

const ALLOW = 'Allow: INVITE, ACK, BYE, UPDATE\r\n';
const TIMER = 'Supported: timer\r\n';
const agreed = (seconds: number, refresher: 'uac' | 'uas') =>
  `session-expires: ${seconds};refresher=${refresher}\r\nrequire: timer\r\n`;

/** A call that came in and is up; the 200 of the application named a session interval. */
class IncomingSession {
  readonly harness = new EngineHarness();
  readonly peer: RecorderFlow = this.harness.peer();
  readonly app: RecorderApp;
  readonly #toTag: string;
  #cseq = 1;

  constructor(seconds: number, refresher: 'uac' | 'uas', extra = `${ALLOW}${TIMER}`) {
    this.app = this.harness.app('invite');
    this.harness.receive(request({ extra, body: SDP }), this.peer);
    this.app.respond(this.app.transactionId, '200 OK', agreed(seconds, refresher), SDP);
    this.#toTag = /;tag=(\w+)/.exec(this.peer.lastHeader('To')!)![1]!;
    this.#send({ method: 'ACK', cseq: 1 });
  }

  /** A re-INVITE or UPDATE of the peer, answered by the application with these headers. */
  refresh(method: string, answer: string, extra = TIMER, body = method === 'INVITE' ? SDP : ''): void {
    this.receive(method, extra);
    this.app.respond(this.app.transactionId, '200 OK', answer, body);
    if (method === 'INVITE') this.#send({ method: 'ACK', cseq: this.#cseq });
  }

  receive(method: string, extra = TIMER, body = method === 'INVITE' ? SDP : ''): void {
    this.#cseq += 1;
    this.#send({ method, cseq: this.#cseq, extra, body });
  }

  /** The peer answers our latest request. */
  answer(status: string, extra = '', body = ''): void {
    this.harness.receive(response(this.#requests.at(-1)!, status, extra, body), this.peer);
  }

  seconds(seconds: number): void {
    this.harness.clock.advance(seconds * 1000);
  }

  /** Our requests, each once, however often it was sent. */
  get #requests(): SipRequest[] {
    const all = this.peer.sent.filter((one: SipMessage): one is SipRequest => one.kind === 'request');
    return [...new Map(all.map((one) => [header(one, 'CSeq'), one])).values()];
  }

  get methods(): string[] {
    return this.#requests.map(({ method }) => method);
  }

  get last(): SipRequest {
    return this.#requests.at(-1)!;
  }

  /** What the application was told, and of unsolicited requests the Reason. */
  get told(): string[] {
    return this.app.events.map(({ tokens, sip = '' }) => {
      const what = sip.split(' ')[0]!;
      return tokens[8] === 'unsolicited' ? `${what} ${/text="(.*)"/.exec(sip)?.[1]}` : what;
    });
  }

  #send(parts: RequestParts): void {
    const branch = `z9hG4bK${parts.method}${parts.cseq}`;
    this.harness.receive(request({ ...parts, branch, toTag: this.#toTag }), this.peer);
  }
}

describe('a session that the peer has to refresh', () => {
  it.each([
    [90, 60],
    [1800, 1768],
  ])('of %i s ends after %i s: BYE, and the application hears why', (interval, after) => {
    const call = new IncomingSession(interval, 'uac');
    call.seconds(after - 0.001);
    expect(call.methods).toEqual([]);
    call.seconds(0.001);
    expect(call.methods).toEqual(['BYE']);
    expect(call.told).toEqual(['INVITE', 'ACK', 'BYE Session timer expired']);
    expect(call.harness.core.stats).toMatchObject({ dialogs: 0, sessionsExpired: 1 });
  });

  it.each(['INVITE', 'UPDATE'])('goes on with every %s', (method) => {
    const call = new IncomingSession(90, 'uac');
    for (let i = 0; i < 5; i += 1) {
      call.seconds(59);
      call.refresh(method, agreed(90, 'uac'));
    }
    expect(call.methods).toEqual([]);
    call.seconds(60);
    expect(call.methods).toEqual(['BYE']);
  });

  it('is not kept up by anything else', () => {
    const call = new IncomingSession(90, 'uac');
    call.seconds(59);
    call.receive('INFO');
    call.seconds(1);
    expect(call.methods).toEqual(['BYE']);
  });

  it('a refused re-INVITE refreshes nothing', () => {
    const call = new IncomingSession(90, 'uac');
    call.seconds(59);
    call.receive('INVITE');
    call.app.respond(call.app.transactionId, '488 Not Acceptable Here');
    call.seconds(1);
    expect(call.methods).toEqual(['BYE']);
  });

  it('has no end any more when a refresh is answered without Session-Expires', () => {
    const call = new IncomingSession(90, 'uac');
    call.refresh('UPDATE', '');
    call.seconds(10_000);
    expect(call.methods).toEqual([]);
  });

  it('takes over what a refresh has changed: the interval, and who refreshes', () => {
    const call = new IncomingSession(90, 'uac');
    call.refresh('INVITE', agreed(200, 'uas'));
    call.seconds(100);
    expect(call.methods).toEqual(['UPDATE']);
  });

  it('leaves no timer behind when it ends', () => {
    for (const refresher of ['uac', 'uas'] as const) {
      const call = new IncomingSession(90, refresher);
      call.receive('BYE');
      call.app.respond(call.app.transactionId, '200 OK');
      call.seconds(64);
      expect(call.harness.clock.pending).toBe(0);
    }
  });

  it('has ended with a BYE, also when an UPDATE from before is answered behind it', () => {
    const call = new IncomingSession(90, 'uac');
    call.receive('UPDATE');
    const update = call.app.transactionId;
    call.receive('BYE');
    call.app.respond(call.app.transactionId, '200 OK');
    call.app.respond(update, '200 OK', agreed(90, 'uac'));
    call.seconds(90);
    expect(call.methods).toEqual([]);
    expect(call.told).toEqual(['INVITE', 'ACK', 'UPDATE', 'BYE']);
    expect(call.harness.clock.pending).toBe(0);
  });

  it('is never shorter than 90 s, whatever the application says', () => {
    const call = new IncomingSession(5, 'uac');
    call.seconds(59);
    expect(call.methods).toEqual([]);
  });
});

describe('a request in a dialog that asks for too short an interval', () => {
  it.each(['INVITE', 'UPDATE'])('%s: 422 with Min-SE, and the application hears nothing', (method) => {
    const call = new IncomingSession(1800, 'uac');
    call.receive(method, `${TIMER}Session-Expires: 60\r\n`);
    expect(call.peer.lines.at(-1)).toBe('422');
    expect(call.peer.lastHeader('Min-SE')).toBe('90');
    expect(call.told).toEqual(['INVITE', 'ACK']);
  });

  it('is let through for a peer that does not know session timers', () => {
    const call = new IncomingSession(1800, 'uac');
    call.receive('UPDATE', 'Session-Expires: 60\r\n');
    expect(call.told.at(-1)).toBe('UPDATE');
  });
});

describe('a session that we have to refresh', () => {
  it('gets an UPDATE without SDP at half the interval, which the application does not hear of', () => {
    const call = new IncomingSession(90, 'uas');
    call.seconds(44.999);
    expect(call.methods).toEqual([]);
    call.seconds(0.001);
    expect(call.methods).toEqual(['UPDATE']);
    expect(call.last.body).toHaveLength(0);
    expect(header(call.last, 'Session-Expires')).toBe('90;refresher=uac');
    expect(header(call.last, 'Supported')).toBe('timer');
    expect(header(call.last, 'Contact')).toBe('<sip:192.0.2.1:5060>');
    call.answer('200 OK', 'Session-Expires: 90;refresher=uac\r\n');
    call.seconds(45);
    expect(call.methods).toEqual(['UPDATE', 'UPDATE']);
    expect(call.told).toEqual(['INVITE', 'ACK']);
    expect(call.harness.core.stats.sessionRefreshes).toBe(2);
  });

  it('gets a re-INVITE with our SDP where the peer takes no UPDATE; the 200 is acknowledged, as often as it comes', () => {
    const call = new IncomingSession(90, 'uas', TIMER);
    call.seconds(45);
    expect(call.methods).toEqual(['INVITE']);
    expect(call.last.body.toString()).toBe(SDP);
    const invite = call.last;
    const ok = response(invite, '200 OK', 'Session-Expires: 90;refresher=uac\r\n', SDP);
    call.harness.receive(ok, call.peer);
    call.harness.receive(ok, call.peer);
    expect(call.peer.lines.slice(-2)).toEqual(['ACK', 'ACK']);
    expect(header(call.peer.last, 'CSeq')).toBe(header(invite, 'CSeq')!.replace('INVITE', 'ACK'));
    call.seconds(45);
    expect(call.methods).toEqual(['INVITE', 'ACK', 'INVITE']);
    expect(call.told).toEqual(['INVITE', 'ACK']);
  });

  it('offers again what was answered last, and nothing that came to nothing', () => {
    const call = new IncomingSession(90, 'uas', TIMER);
    const later = SDP.replace('o=- 1 1', 'o=- 1 2');
    call.refresh('INVITE', agreed(90, 'uas'), TIMER, later);
    call.seconds(10);
    call.receive('INVITE');
    call.app.respond(call.app.transactionId, '488 Not Acceptable Here');
    call.seconds(35);
    expect(call.last.body.toString()).toBe(later);
  });

  it('offers again what the application has answered in an ACK', () => {
    const call = new IncomingSession(90, 'uas', TIMER);
    const later = SDP.replace('o=- 1 1', 'o=- 1 2');
    call.app.request(DIALOG_ID, 'INVITE');
    call.answer('200 OK', 'Session-Expires: 90;refresher=uac\r\n', SDP);
    call.app.request(DIALOG_ID, 'ACK', '', later);
    call.seconds(45);
    expect(call.last.body.toString()).toBe(later);
  });

  it.each(['408 Request Timeout', '481 Call/Transaction Does Not Exist'])('ends after a %s', (status) => {
    const call = new IncomingSession(90, 'uas');
    call.seconds(45);
    call.answer(status);
    expect(call.methods).toEqual(['UPDATE', 'BYE']);
    expect(call.told.at(-1)).toBe('BYE Session timer expired');
    expect(call.harness.core.stats.dialogs).toBe(0);
  });

  it('ends when the peer is silent: before the interval is over, or when the refresh has timed out', () => {
    const short = new IncomingSession(90, 'uas');
    short.seconds(60);
    expect(short.methods).toEqual(['UPDATE', 'BYE']);
    const long = new IncomingSession(1800, 'uas');
    long.seconds(900 + 32);
    expect(long.methods).toEqual(['UPDATE', 'BYE']);
  });

  it('asks for a longer interval after a 422', () => {
    const call = new IncomingSession(90, 'uas');
    call.seconds(45);
    call.answer('422 Session Interval Too Small', 'Min-SE: 300\r\n');
    expect(call.methods).toEqual(['UPDATE', 'UPDATE']);
    expect(header(call.last, 'Session-Expires')).toBe('300;refresher=uac');
    expect(header(call.last, 'Min-SE')).toBe('300');
    call.answer('200 OK', 'Session-Expires: 300;refresher=uac\r\n');
    call.seconds(149);
    expect(call.methods).toHaveLength(2);
    call.seconds(1);
    expect(header(call.last, 'Min-SE')).toBe('300');
  });

  it('does not ask on and on for what the peer refuses as too short', () => {
    const call = new IncomingSession(90, 'uas');
    call.seconds(45);
    call.answer('422 Session Interval Too Small', 'Min-SE: 300\r\n');
    call.answer('422 Session Interval Too Small', 'Min-SE: 300\r\n');
    expect(call.methods).toEqual(['UPDATE', 'UPDATE']);
    call.seconds(15);
    expect(call.methods.at(-1)).toBe('BYE');
  });

  it('is tried again within 2 s after a 491', () => {
    const call = new IncomingSession(90, 'uas');
    call.seconds(45);
    call.answer('491 Request Pending');
    expect(call.methods).toHaveLength(1);
    call.seconds(2);
    expect(call.methods).toEqual(['UPDATE', 'UPDATE']);
  });

  it.each(['405 Method Not Allowed', '501 Not Implemented'])('takes a re-INVITE after a %s', (status) => {
    const call = new IncomingSession(90, 'uas');
    call.seconds(45);
    call.answer(status);
    expect(call.methods).toEqual(['UPDATE', 'INVITE']);
    expect(call.last.body.toString()).toBe(SDP);
  });

  it('is tried again after any other refusal, when the peer wants it, until the time is up', () => {
    const call = new IncomingSession(90, 'uas');
    call.seconds(45);
    call.answer('500 Server Internal Error', 'Retry-After: 7\r\n');
    call.seconds(6.9);
    expect(call.methods).toHaveLength(1);
    call.seconds(0.1);
    call.answer('500 Server Internal Error');
    call.seconds(5);
    expect(call.methods).toEqual(['UPDATE', 'UPDATE', 'UPDATE']);
    call.seconds(3);
    expect(call.methods.at(-1)).toBe('BYE');
  });

  it('waits while the peer is changing the session', () => {
    const call = new IncomingSession(90, 'uas');
    call.seconds(44);
    call.receive('INVITE');
    call.seconds(1);
    expect(call.methods).toEqual([]);
    call.app.respond(call.app.transactionId, '488 Not Acceptable Here');
    call.seconds(5);
    expect(call.methods).toEqual(['UPDATE']);
  });

  it('is refreshed by a re-INVITE of the application, which carries the timer on', () => {
    const call = new IncomingSession(90, 'uas');
    call.seconds(40);
    const later = SDP.replace('o=- 1 1', 'o=- 1 2');
    call.app.request(DIALOG_ID, 'INVITE', '', later);
    expect(header(call.last, 'Session-Expires')).toBe('90;refresher=uac');
    call.answer('200 OK', 'Session-Expires: 90;refresher=uac\r\n', SDP);
    call.app.request(DIALOG_ID, 'ACK');
    call.seconds(44);
    expect(call.methods).toEqual(['INVITE', 'ACK']);
    call.seconds(1);
    expect(call.methods.at(-1)).toBe('UPDATE');
  });

  it('a peer that has to refresh stays the one when the application sends a re-INVITE', () => {
    const call = new IncomingSession(90, 'uac');
    call.app.request(DIALOG_ID, 'INVITE', '', SDP);
    expect(header(call.last, 'Session-Expires')).toBe('90;refresher=uas');
    call.answer('200 OK', 'Session-Expires: 90;refresher=uas\r\n', SDP);
    call.seconds(60);
    expect(call.methods.at(-1)).toBe('BYE');
  });
});

describe('a session of a call that we placed', () => {
  function placed(extra: string) {
    const harness = new EngineHarness();
    const app = harness.app('invite');
    const call = new OutgoingCall(harness, app, { headers: 'supported: timer\r\n' });
    call.establish('bob', extra);
    return { harness, app, call, lines: () => call.flow.lines };
  }

  it('is refreshed by us where the 200 says uac', () => {
    const { harness, app, call, lines } = placed(`${ALLOW}Session-Expires: 90;refresher=uac\r\n`);
    harness.clock.advance(45_000);
    expect(lines().at(-1)).toBe('UPDATE');
    harness.receive(response(call.flow.last, '200 OK', 'Session-Expires: 90;refresher=uac\r\n'), call.flow);
    expect(app.methods).toEqual(['200']);
  });

  it('is refreshed by a re-INVITE with the SDP that we offered where the peer takes no UPDATE', () => {
    const { harness, call, lines } = placed('Session-Expires: 90;refresher=uac\r\n');
    harness.clock.advance(45_000);
    expect(lines().at(-1)).toBe('INVITE');
    expect(call.flow.last.body.toString()).toBe(SDP);
  });

  it('ends when the peer has to refresh it and does not', () => {
    const { harness, app, lines } = placed(`${ALLOW}Session-Expires: 90;refresher=uas\r\n`);
    harness.clock.advance(60_000);
    expect(lines().at(-1)).toBe('BYE');
    expect(app.transactionId).toBe('unsolicited');
  });

  it('has no end where the 200 names no interval', () => {
    const { harness, lines } = placed(ALLOW);
    const before = lines().length;
    harness.clock.advance(10_000_000);
    expect(lines()).toHaveLength(before);
  });
});

describe('a session that is longer than a timer of the system can be', () => {
  afterEach(() => vi.useRealTimers());

  it('goes on', () => {
    vi.useFakeTimers();
    const [refresh, expired] = [vi.fn(), vi.fn()];
    const agreed = { seconds: 2 ** 31 - 1, minSeconds: 90, weRefresh: true };
    const timer = new SessionTimer(systemEngineClock, agreed, { refresh, expired });
    vi.advanceTimersByTime(86_400_000);
    expect([refresh, expired].map(({ mock }) => mock.calls)).toEqual([[], []]);
    timer.stop();
  });
});
