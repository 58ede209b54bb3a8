import { describe, expect, it } from 'vitest';
import { header, headersOf, type SipRequest } from '../../src/sip-engine/message.ts';
import {
  EngineHarness,
  type RecorderFlow,
  type RequestParts,
  request,
  response,
  SDP,
} from '../support/engine-harness.ts';
import { ProxiedCall } from '../support/proxied-call.ts';

const OURS = '<sip:192.0.2.1:5060;lr>';
const CALLEE_URI = 'sip:callee@198.51.100.20:5080';
const CALLER_URI = 'sip:peer@198.51.100.7:5060';

/** A call that is up and runs through the engine; both sides can send requests in it. */
class DialogThroughUs {
  readonly call: ProxiedCall;
  readonly callee: RecorderFlow;
  #branches = 0;

  constructor({
    parts = {},
    destination = 'sip:198.51.100.20',
    extra = '',
    caller = undefined as RecorderFlow | undefined,
    remainInDialog = true,
  } = {}) {
    this.call = new ProxiedCall(parts, { caller });
    this.call.order([destination], { remainInDialog });
    this.callee = this.call.target();
    const recorded = headersOf(this.call.sent(), 'Record-Route').map((value) => `Record-Route: ${value}\r\n`);
    this.call.reply('200 OK', { body: SDP, extra: extra + recorded.join('') });
  }

  get caller(): RecorderFlow {
    return this.call.caller;
  }

  fromCaller(method: string, parts: RequestParts = {}, flow: RecorderFlow = this.caller): void {
    this.#send(method, { fromTag: 'theirs', toTag: 'tag0', uri: CALLEE_URI, ...parts }, flow);
  }

  fromCallee(method: string, parts: RequestParts = {}, flow: RecorderFlow = this.callee): void {
    const side = { fromTag: 'tag0', toTag: 'theirs', uri: CALLER_URI, contact: `<${CALLEE_URI}>` };
    this.#send(method, { ...side, sentBy: '198.51.100.20:5060', ...parts }, flow);
  }

  #send(method: string, parts: RequestParts, flow: RecorderFlow): void {
    this.#branches += 1;
    const branch = `z9hG4bKin${this.#branches}`;
    const route = `Route: ${OURS}\r\n`;
    this.call.harness.receive(request({ branch, cseq: 2, extra: route, ...parts, method }), flow);
  }

  answer(flow: RecorderFlow, status: string, extra = ''): void {
    this.call.harness.receive(response(flow.last, status, extra), flow);
  }
}

const lastRequest = (flow: RecorderFlow): SipRequest => flow.last as SipRequest;

describe('a dialog that runs through us', () => {
  it('has its ACK and BYE sent on without the application, and ends', () => {
    const dialog = new DialogThroughUs();
    const { caller, callee, call } = dialog;
    dialog.fromCaller('ACK', { cseq: 1, body: SDP });
    const ack = lastRequest(callee);
    expect([ack.method, ack.uri]).toEqual(['ACK', CALLEE_URI]);
    expect(ack.body.toString()).toBe(SDP);
    expect(headersOf(ack, 'Via')).toHaveLength(2);
    expect(headersOf(ack, 'Route')).toEqual([]);
    expect(header(ack, 'Max-Forwards')).toBe('69');
    dialog.fromCaller('BYE');
    const bye = lastRequest(callee);
    expect([bye.method, bye.uri, header(bye, 'CSeq')]).toEqual(['BYE', CALLEE_URI, '2 BYE']);
    dialog.answer(callee, '200 OK');
    expect(caller.lines.slice(-2)).toEqual(['200', '200']);
    expect(header(caller.last, 'CSeq')).toBe('2 BYE');
    expect(headersOf(caller.last, 'Via')).toHaveLength(1);
    expect(call.app.methods).toEqual(['INVITE']);
    call.harness.clock.advance(31_000);
    dialog.fromCaller('ACK', { cseq: 1 });
    expect(callee.lines.at(-1)).toBe('ACK');
    call.harness.clock.advance(1_000);
    expect(call.harness.core.stats).toMatchObject({ proxiedDialogs: 0, proxiedRequests: 0 });
    dialog.fromCaller('BYE', { cseq: 3 });
    expect(caller.lines.at(-1)).toBe('481');
  });

  it('is ended by the callee as well', () => {
    const dialog = new DialogThroughUs();
    dialog.fromCallee('BYE');
    expect(lastRequest(dialog.caller).uri).toBe(CALLER_URI);
    dialog.answer(dialog.caller, '200 OK');
    expect(dialog.callee.lines.slice(-2)).toEqual(['INVITE', '200']);
    dialog.call.harness.clock.advance(32_000);
    expect(dialog.call.harness.core.stats.proxiedDialogs).toBe(0);
  });

  it('has a re-INVITE with 100, 180, 200 and ACK, and its retransmissions absorbed', () => {
    const dialog = new DialogThroughUs();
    const parts = { body: SDP, branch: 'z9hG4bKre', cseq: 2 };
    dialog.fromCallee('INVITE', parts);
    dialog.fromCallee('INVITE', parts);
    expect(dialog.callee.lines).toEqual(['INVITE', '100', '100']);
    expect(dialog.caller.lines.filter((line) => line === 'INVITE')).toHaveLength(1);
    const before = dialog.caller.lines.length;
    const invite = dialog.caller.last;
    dialog.call.harness.receive(response(invite, '200 OK', '', SDP), dialog.caller);
    expect(dialog.callee.lines.at(-1)).toBe('200');
    dialog.fromCallee('ACK', { cseq: 2 });
    expect(dialog.caller.lines.slice(before)).toEqual(['ACK']);
  });

  it('has the ACK of a phone that knows no magic cookie', () => {
    const dialog = new DialogThroughUs();
    const parts = { branch: '1', body: SDP };
    dialog.fromCaller('INVITE', parts);
    dialog.answer(dialog.callee, '200 OK');
    dialog.fromCaller('ACK', parts);
    expect(dialog.callee.lines).toEqual(['INVITE', 'INVITE', 'ACK']);
  });

  it('has a re-INVITE cancelled, and refused', () => {
    const dialog = new DialogThroughUs();
    const parts = { body: SDP, branch: 'z9hG4bKre' };
    dialog.fromCaller('INVITE', parts);
    const invite = dialog.callee.last;
    dialog.call.harness.receive(response(invite, '180 Ringing'), dialog.callee);
    dialog.fromCaller('CANCEL', { branch: 'z9hG4bKre' });
    expect(dialog.callee.lines.at(-1)).toBe('CANCEL');
    dialog.call.harness.receive(response(invite, '487 Request Terminated'), dialog.callee);
    expect(dialog.callee.lines.at(-1)).toBe('ACK');
    expect(dialog.caller.lines.slice(-4)).toEqual(['100', '180', '200', '487']);
    expect(dialog.call.app.methods).toEqual(['INVITE']);
  });

  it('has other requests both ways; silence is 504, and a BYE that nobody answers ends it', () => {
    const dialog = new DialogThroughUs();
    dialog.fromCaller('INFO', { cseq: 2 });
    dialog.answer(dialog.callee, '415 Unsupported Media Type');
    expect(dialog.caller.lines.at(-1)).toBe('415');
    dialog.fromCallee('OPTIONS');
    dialog.answer(dialog.caller, '200 OK');
    expect(dialog.callee.lines.at(-1)).toBe('200');
    dialog.fromCaller('BYE', { cseq: 3 });
    dialog.call.harness.clock.advance(32_000);
    expect(dialog.caller.lines.at(-1)).toBe('504');
    dialog.call.harness.clock.advance(32_000);
    expect(dialog.call.harness.core.stats.proxiedDialogs).toBe(0);
  });

  it('stays after a BYE that was challenged', () => {
    const dialog = new DialogThroughUs();
    dialog.fromCaller('BYE');
    dialog.answer(
      dialog.callee,
      '407 Proxy Authentication Required',
      'Proxy-Authenticate: Digest realm="a"\r\n',
    );
    dialog.call.harness.clock.advance(60_000);
    expect(dialog.call.harness.core.stats.proxiedDialogs).toBe(1);
  });

  it('stands early too: PRACK and UPDATE before the answer', () => {
    const call = new ProxiedCall().order(undefined, { remainInDialog: true });
    call.reply('183 Session Progress', { extra: 'Require: 100rel\r\nRSeq: 7\r\n', body: SDP });
    const inside = { toTag: 'tag0', uri: CALLEE_URI, extra: `Route: ${OURS}\r\nRAck: 7 1 INVITE\r\n` };
    call.harness.receive(request({ ...inside, method: 'PRACK', branch: 'z9hG4bKp', cseq: 2 }), call.caller);
    expect(lastRequest(call.target()).method).toBe('PRACK');
    expect(header(call.target().last, 'RAck')).toBe('7 1 INVITE');
    call.harness.receive(response(call.target().last, '200 OK'), call.target());
    expect(call.caller.lines.at(-1)).toBe('200');
    call.reply('486 Busy Here');
    expect(call.harness.core.stats.proxiedDialogs).toBe(0);
  });

  it('of a subscription carries its notifications', () => {
    const call = new ProxiedCall({ method: 'SUBSCRIBE' }).order(undefined, { remainInDialog: true });
    call.reply('202 Accepted');
    const parts = { fromTag: 'tag0', toTag: 'theirs', uri: CALLER_URI, sentBy: '198.51.100.20:5060' };
    call.harness.receive(request({ ...parts, method: 'NOTIFY', branch: 'z9hG4bKn' }), call.target());
    expect(lastRequest(call.caller).method).toBe('NOTIFY');
  });

  it('is one for each phone that answers', () => {
    const call = new ProxiedCall().order(['sip:198.51.100.20', 'sip:198.51.100.21'], {
      ...{ remainInDialog: true, simultaneous: true },
    });
    call.reply('180 Ringing', { at: 1 });
    call.reply('200 OK', { at: 0 });
    expect(call.harness.core.stats.proxiedDialogs).toBe(2);
    call.reply('487 Request Terminated', { at: 1 });
    expect(call.harness.core.stats.proxiedDialogs).toBe(1);
    call.harness.receive(
      request({ method: 'BYE', branch: 'z9hG4bKb', cseq: 2, toTag: 'tag0', uri: CALLEE_URI }),
      call.caller,
    );
    expect(lastRequest(call.target(0)).method).toBe('BYE');
  });

  it('finds no place when all are taken; the call goes on all the same', () => {
    const call = new ProxiedCall({}, { limits: { maxDialogs: 1 } });
    call.order(['sip:198.51.100.20', 'sip:198.51.100.21'], { remainInDialog: true, simultaneous: true });
    for (const at of [0, 1]) call.reply('180 Ringing', { at });
    expect(call.harness.core.stats).toMatchObject({ proxiedDialogs: 1, overloaded: 1, overloadedFull: 1 });
    expect(call.answers).toEqual(['180', '180']);
  });

  it('is forgotten after twelve hours without a word', () => {
    const dialog = new DialogThroughUs();
    const hours = (n: number) => dialog.call.harness.clock.advance(n * 3_600_000);
    hours(11);
    dialog.fromCaller('OPTIONS');
    dialog.answer(dialog.callee, '200 OK');
    hours(11);
    expect(dialog.call.harness.core.stats.proxiedDialogs).toBe(1);
    hours(1);
    expect(dialog.call.harness.core.stats.proxiedDialogs).toBe(0);
  });

  it('keeps the connections of both sides, and its two sides are heard although they are banned', () => {
    const caller = new EngineHarness().peer('198.51.100.7', 40_000, 'tcp');
    const dialog = new DialogThroughUs({ caller });
    const { core, clock } = dialog.call.harness;
    expect(core.inUse(caller)).toBe(true);
    core.bans.add('198.51.100.7', 60_000);
    expect(core.admits('198.51.100.7')).toBe(true);
    dialog.fromCaller('BYE');
    expect(lastRequest(dialog.callee).method).toBe('BYE');
    dialog.answer(dialog.callee, '200 OK');
    clock.advance(32_000);
    expect(core.inUse(caller)).toBe(false);
    expect(core.admits('198.51.100.7')).toBe(false);
  });
});

describe('where a request of such a dialog goes', () => {
  it('is where the other side is known to be, whatever the request says', () => {
    const dialog = new DialogThroughUs();
    const opened = dialog.call.harness.opened.length;
    const extra = `Route: ${OURS}\r\nRoute: <sip:victim@203.0.113.66;lr>\r\n`;
    dialog.fromCaller('INFO', { uri: 'sip:victim@203.0.113.66', extra });
    expect(lastRequest(dialog.callee).method).toBe('INFO');
    expect(headersOf(dialog.callee.last, 'Route')).toEqual([]);
    expect(dialog.call.harness.opened).toHaveLength(opened);
  });

  it('through a NAT, is the source of what it sends, which may change', () => {
    const caller = new EngineHarness().peer('203.0.113.50', 33_000);
    const parts = { contact: '<sip:peer@10.0.0.9:5060>', viaParams: ';rport', sentBy: '10.0.0.9:5060' };
    const dialog = new DialogThroughUs({ parts, caller });
    dialog.fromCallee('OPTIONS', { uri: 'sip:peer@10.0.0.9:5060', branch: 'z9hG4bKx1' });
    expect(lastRequest(caller).uri).toBe('sip:peer@10.0.0.9:5060');
    const moved = dialog.call.harness.peer('203.0.113.51', 34_000);
    dialog.fromCaller('INFO', parts, moved);
    dialog.fromCallee('OPTIONS', { cseq: 3 });
    expect(moved.lines.at(-1)).toBe('OPTIONS');
  });

  it('is the route set behind us, on either side', () => {
    const dialog = new DialogThroughUs({
      parts: { extra: 'Record-Route: <sip:p2@203.0.113.2;lr>, <sip:p1@203.0.113.1;lr>\r\n' },
      extra: 'Record-Route: <sip:q2@203.0.113.12;lr>\r\nRecord-Route: <sip:q1@203.0.113.11;lr>\r\n',
    });
    dialog.fromCaller('INFO');
    const toCallee = dialog.call.target(1);
    expect(toCallee.remote.address).toBe('203.0.113.11');
    expect(lastRequest(toCallee).uri).toBe(CALLEE_URI);
    expect(headersOf(toCallee.last, 'Route')).toEqual([
      '<sip:q1@203.0.113.11;lr>',
      '<sip:q2@203.0.113.12;lr>',
    ]);
    dialog.fromCallee('INFO');
    const toCaller = dialog.call.target(2);
    expect(toCaller.remote.address).toBe('203.0.113.2');
    expect(headersOf(toCaller.last, 'Route')).toEqual(['<sip:p2@203.0.113.2;lr>', '<sip:p1@203.0.113.1;lr>']);
  });

  it('is a strict router, which gets the URI for itself', () => {
    const dialog = new DialogThroughUs({ extra: 'Record-Route: <sip:q1@203.0.113.11>\r\n' });
    dialog.fromCaller('INFO');
    const sent = lastRequest(dialog.call.target(1));
    expect(sent.uri).toBe('sip:q1@203.0.113.11');
    expect(headersOf(sent, 'Route')).toEqual([`<${CALLEE_URI}>`]);
  });

  it('survives a strict router in front of us, which has put our address into the URI', () => {
    const dialog = new DialogThroughUs();
    dialog.fromCaller('INFO', { uri: 'sip:192.0.2.1:5060;lr', extra: `Route: <${CALLEE_URI}>\r\n` });
    expect(lastRequest(dialog.callee).uri).toBe(CALLEE_URI);
    expect(headersOf(dialog.callee.last, 'Route')).toEqual([]);
  });

  it('is another transport where the two sides differ; a closed connection is opened to the Contact', () => {
    const dialog = new DialogThroughUs({ destination: 'sip:198.51.100.20;transport=tcp' });
    dialog.fromCaller('INFO');
    expect(dialog.callee.transport).toBe('tcp');
    expect(header(dialog.callee.last, 'Via')).toMatch(/^SIP\/2\.0\/TCP/);
    dialog.answer(dialog.callee, '200 OK');
    dialog.callee.open = false;
    dialog.fromCaller('INFO', { cseq: 3 });
    const again = dialog.call.target(1);
    expect([again.transport, again.remote]).toEqual(['tcp', { address: '198.51.100.20', port: 5080 }]);
  });

  it('is the Contact, for a side that sends from a port that it does not listen on', () => {
    const dialog = new DialogThroughUs();
    dialog.fromCallee('OPTIONS', { sentBy: '198.51.100.20:5099' });
    dialog.fromCaller('INFO');
    expect(dialog.call.target(1).remote).toEqual({ address: '198.51.100.20', port: 5080 });
  });

  it('follows the Contacts of a re-INVITE that was accepted, and no others', () => {
    const caller = new EngineHarness().peer('198.51.100.7', 5060, 'tcp');
    const dialog = new DialogThroughUs({ caller, destination: 'sip:198.51.100.20;transport=tcp' });
    const contact = (last: number) => `<sip:198.51.100.${last}>`;
    const moves = [
      ['488 Not Acceptable Here', 'INVITE'],
      ['200 OK', 'INFO'],
    ] as const;
    for (const [i, [status, method]] of moves.entries()) {
      dialog.fromCaller(method, { cseq: 2 + i, contact: contact(98), body: SDP });
      dialog.answer(dialog.callee, status, `Contact: ${contact(99)}\r\n`);
    }
    caller.open = false;
    dialog.callee.open = false;
    dialog.fromCallee('OPTIONS', { cseq: 2 });
    expect(dialog.call.target(1).remote.address).toBe('198.51.100.7');
    caller.open = true;
    dialog.callee.open = true;
    dialog.fromCaller('INVITE', { cseq: 9, contact: contact(8), body: SDP });
    dialog.answer(dialog.callee, '200 OK', `Contact: ${contact(21)}\r\n`);
    caller.open = false;
    dialog.callee.open = false;
    dialog.fromCallee('OPTIONS', { cseq: 3 });
    expect(dialog.call.target(2).remote.address).toBe('198.51.100.8');
    dialog.fromCaller('INFO', { cseq: 10 });
    expect(dialog.call.harness.opened.at(-1)?.remote.address).toBe('198.51.100.21');
  });
});

describe('never an open relay', () => {
  const foreign = (parts: RequestParts) =>
    request({ branch: 'z9hG4bKx', uri: 'sip:victim@203.0.113.66', extra: `Route: ${OURS}\r\n`, ...parts });

  it.each([
    ['of no dialog', { toTag: 'guess' }],
    ['with the tag of one, but another Call-ID', { toTag: 'tag0', callId: 'other' }],
    ['with its Call-ID, but another tag', { toTag: 'tag1' }],
  ])('a request %s is 481', (_, parts) => {
    const { call, callee } = new DialogThroughUs();
    call.harness.receive(foreign({ ...parts, method: 'INFO', cseq: 5 }), call.caller);
    expect(call.caller.lines.at(-1)).toBe('481');
    call.harness.receive(foreign({ ...parts, method: 'ACK', cseq: 5 }), call.caller);
    expect(callee.lines).toEqual(['INVITE']);
    expect(call.harness.opened).toHaveLength(1);
  });

  it("one outside a dialog is the application's, as ever", () => {
    const { call } = new DialogThroughUs();
    call.harness.receive(foreign({ method: 'INVITE', callId: 'b' }), call.caller);
    expect(call.app.methods).toEqual(['INVITE', 'INVITE']);
    expect(call.harness.opened).toHaveLength(1);
  });

  it('a dialog whose route we did not record is none of ours', () => {
    const dialog = new DialogThroughUs({ remainInDialog: false });
    expect(dialog.call.harness.core.stats.proxiedDialogs).toBe(0);
    dialog.fromCaller('BYE');
    expect(dialog.caller.lines.at(-1)).toBe('481');
  });

  it('a request without hops left is 483, an ACK is dropped', () => {
    const dialog = new DialogThroughUs();
    const parts = { branch: 'z9hG4bKx', cseq: 2, toTag: 'tag0' };
    for (const method of ['INFO', 'ACK']) {
      const text = request({ ...parts, method }).replace('Forwards: 70', 'Forwards: 0');
      dialog.call.harness.receive(text, dialog.caller);
    }
    expect(dialog.caller.lines.at(-1)).toBe('483');
    expect(dialog.callee.lines).toEqual(['INVITE']);
  });

  it('a full engine still lets a call be ended', () => {
    const call = new ProxiedCall({}, { limits: { maxTransactionsPerSource: 1 } });
    call.order(undefined, { remainInDialog: true }).reply('200 OK');
    const parts = { toTag: 'tag0', uri: CALLEE_URI };
    call.harness.receive(request({ ...parts, method: 'INFO', branch: 'z9hG4bKi', cseq: 2 }), call.caller);
    expect(call.caller.lines.at(-1)).toBe('503');
    call.harness.receive(request({ ...parts, method: 'BYE', branch: 'z9hG4bKb', cseq: 3 }), call.caller);
    expect(lastRequest(call.target()).method).toBe('BYE');
  });
});
