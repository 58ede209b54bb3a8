import { randomUUID } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Engine, startEngine } from '../../src/sip-engine/engine.ts';
import { ANSWER, EngineApp, HOLD, OFFER } from '../support/engine-app.ts';
import { answerTo, bodyOf, headerIn, openCaller, type SipCaller } from '../support/sip-caller.ts';

/**
 * What an application of drachtio-srf may rely on, whatever carries its calls: the embedded engine, and a real
 * drachtio-server where one is named by DRACHTIO_HOST, DRACHTIO_PORT, DRACHTIO_SECRET (its admin port) and DRACHTIO_SIP
 * (`host:port` where it takes SIP over UDP and TCP).
 */
interface Subject {
  name: string;
  embedded: boolean;
  start(): Promise<{
    admin: { host: string; port: number; secret: string };
    sipHost: string;
    sipPort: number;
  }>;
  stop(): Promise<void>;
}

function embedded(): Subject {
  let engine: Engine | undefined;
  return {
    name: 'the embedded engine',
    embedded: true,
    async start() {
      const host = '127.0.0.1';
      const port = await freePort(host);
      engine = await startEngine({
        listen: [
          { transport: 'udp', host, port },
          { transport: 'tcp', host, port },
        ],
      });
      return { admin: engine, sipHost: host, sipPort: port };
    },
    stop: async () => engine?.close(),
  };
}

/** A port that UDP and TCP can share. */
async function freePort(host: string): Promise<number> {
  const probe = createSocket('udp4').bind(0, host);
  await once(probe, 'listening');
  const { port } = probe.address();
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  return port;
}

function real(sip: string): Subject {
  const [sipHost = '127.0.0.1', sipPort = '5060'] = sip.split(':');
  const {
    DRACHTIO_HOST: host = '127.0.0.1',
    DRACHTIO_PORT: port = '9022',
    DRACHTIO_SECRET: secret = 'cymru',
  } = process.env;
  return {
    name: 'drachtio-server',
    embedded: false,
    start: async () => ({ admin: { host, port: Number(port), secret }, sipHost, sipPort: Number(sipPort) }),
    stop: async () => {},
  };
}

const sip = process.env.DRACHTIO_SIP;
const subjects = [embedded(), ...(sip === undefined ? [] : [real(sip)])];

/** The caller's side of one call. */
class Call {
  readonly callId = `${randomUUID()}@contract`;
  readonly #caller: SipCaller;
  readonly #target: string;
  readonly #from: string;
  #to: string;
  #cseq = 0;
  inviteBranch = '';
  lastSent = '';

  constructor(caller: SipCaller, user: string, host: string, port: number) {
    this.#caller = caller;
    this.#target = `sip:${user}@${host}:${port}`;
    this.#from = `<sip:caller@${caller.address}>;tag=${randomUUID().slice(0, 8)}`;
    this.#to = `<sip:${user}@${host}:${port}>`;
  }

  /** Sends a request; ACK and CANCEL take the CSeq of the INVITE. */
  send(method: string, body = '', branch = `z9hG4bK${randomUUID()}`, to = this.#to): void {
    if (method !== 'ACK' && method !== 'CANCEL') this.#cseq += 1;
    if (method === 'INVITE') this.inviteBranch = branch;
    const contact = this.#caller.transport === 'TCP' ? ';transport=tcp' : '';
    const lines = [
      `${method} ${this.#target} SIP/2.0`,
      `Via: SIP/2.0/${this.#caller.transport} ${this.#caller.address};rport;branch=${branch}`,
      'Max-Forwards: 70',
      `From: ${this.#from}`,
      `To: ${to}`,
      `Call-ID: ${this.callId}`,
      `CSeq: ${this.#cseq} ${method}`,
      `Contact: <sip:caller@${this.#caller.address}${contact}>`,
      ...(body === '' ? [] : ['Content-Type: application/sdp']),
      `Content-Length: ${body.length}`,
    ];
    this.lastSent = `${lines.join('\r\n')}\r\n\r\n${body}`;
    this.#caller.send(this.lastSent);
  }

  /** Learns the tag of the called side from a response. */
  learn(response: string): void {
    this.#to = headerIn(response, 'To');
  }

  cancel(): void {
    this.send('CANCEL', '', this.inviteBranch, this.#to.replace(/;tag=.*/, ''));
  }

  ackFailure(response: string): void {
    this.send('ACK', '', this.inviteBranch, headerIn(response, 'To'));
  }

  async establish(offer = OFFER, answer = ''): Promise<string> {
    this.send('INVITE', offer);
    const ok = await this.#caller.next('SIP/2.0 200');
    this.learn(ok);
    this.send('ACK', answer);
    return ok;
  }

  async end(): Promise<void> {
    this.send('BYE');
    await this.#caller.next('SIP/2.0 200');
  }
}

describe.each(subjects)('$name with drachtio-srf', (subject) => {
  const app = new EngineApp();
  let sipHost = '';
  let sipPort = 0;
  const callers: SipCaller[] = [];

  beforeAll(async () => {
    const started = await subject.start();
    ({ sipHost, sipPort } = started);
    await app.connect(started.admin);
  });
  afterEach(async () => {
    for (const caller of callers.splice(0)) await caller.close();
  });
  afterAll(async () => {
    app.disconnect();
    await subject.stop();
  });

  async function dial(
    user: string,
    transport: 'UDP' | 'TCP' = 'UDP',
  ): Promise<{ caller: SipCaller; call: Call }> {
    const caller = await openCaller(transport, sipPort, sipHost);
    callers.push(caller);
    return { caller, call: new Call(caller, user, sipHost, sipPort) };
  }

  it.each(['UDP', 'TCP'] as const)('carries a call over %s that the caller ends', async (transport) => {
    const { caller, call } = await dial('ring-answer', transport);
    call.send('INVITE', OFFER);
    await caller.next('SIP/2.0 100');
    const ringing = await caller.next('SIP/2.0 180');
    const ok = await caller.next('SIP/2.0 200');
    expect(bodyOf(ok)).toBe(ANSWER);
    expect(headerIn(ok, 'To')).toBe(headerIn(ringing, 'To'));
    expect(headerIn(ok, 'Contact')).toContain(`${sipHost}:${sipPort}`);
    call.learn(ok);
    call.send('ACK');
    await app.noticed(call.callId, 'ack');
    const { dialog } = await app.noticed(call.callId, 'dialog');
    expect(dialog?.sip.callId).toBe(call.callId);
    expect(headerIn(ok, 'To')).toContain(`tag=${dialog?.sip.localTag}`);
    await call.end();
    expect((await app.noticed(call.callId, 'destroy')).detail).toBe('normal release');
  });

  it.each(['UDP', 'TCP'] as const)('carries a call over %s that the application ends', async (transport) => {
    const { caller, call } = await dial('answer', transport);
    await call.establish();
    await app.noticed(call.callId, 'ack');
    const { dialog } = await app.noticed(call.callId, 'dialog');
    const ended = dialog!.destroy();
    const bye = await caller.next('BYE');
    expect(headerIn(bye, 'Call-ID')).toBe(call.callId);
    expect(headerIn(bye, 'From')).toContain(`tag=${dialog!.sip.localTag}`);
    caller.send(answerTo(bye, '200 OK', caller.address));
    await ended;
  });

  it('passes a refusal on, and repeats it until the ACK', async () => {
    const { caller, call } = await dial('busy');
    call.send('INVITE', OFFER);
    const busy = await caller.next('SIP/2.0 486');
    expect(await caller.next('SIP/2.0 486')).toBe(busy);
    call.ackFailure(busy);
  });

  it('a retransmitted INVITE reaches the application once', async () => {
    const { caller, call } = await dial('answer');
    call.send('INVITE', OFFER);
    caller.send(call.lastSent);
    call.learn(await caller.next('SIP/2.0 200'));
    call.send('ACK');
    await call.end();
    expect(app.count(call.callId, 'invite')).toBe(1);
  });

  it('CANCEL before any answer: 200, 487, and the application is told', async () => {
    const { caller, call } = await dial('silent');
    call.send('INVITE', OFFER);
    await app.noticed(call.callId, 'invite');
    call.cancel();
    await finishCancel(caller, call);
    await app.noticed(call.callId, 'cancel');
  });

  it('CANCEL after 180: 200, 487, the application is told, and its late 200 is refused', async () => {
    const { caller, call } = await dial('late-200');
    call.send('INVITE', OFFER);
    await caller.next('SIP/2.0 180');
    call.cancel();
    await finishCancel(caller, call);
    await app.noticed(call.callId, 'cancel');
    const { detail } = await app.noticed(call.callId, 'refused');
    expect(detail).toBe('Response not sent due to unknown transaction');
  });

  it('re-INVITE of the caller: the application answers, its ACK arrives', async () => {
    const { caller, call } = await dial('answer');
    await call.establish();
    call.send('INVITE', HOLD);
    const ok = await caller.next('SIP/2.0 200');
    expect(bodyOf(ok)).toContain('a=recvonly');
    expect((await app.noticed(call.callId, 'modify')).detail).toBe(HOLD);
    call.send('ACK');
    await expect.poll(() => app.count(call.callId, 'ack')).toBe(2);
    await call.end();
  });

  it("re-INVITE of the application: the caller's answer arrives, the ACK goes out", async () => {
    const { caller, call } = await dial('answer');
    await call.establish();
    await app.noticed(call.callId, 'ack');
    const { dialog } = await app.noticed(call.callId, 'dialog');
    const modified = dialog!.modify(HOLD);
    const invite = await caller.next('INVITE');
    expect(bodyOf(invite)).toBe(HOLD);
    expect(headerIn(invite, 'Contact')).toContain(`${sipHost}:${sipPort}`);
    caller.send(answerTo(invite, '100 Trying', caller.address));
    caller.send(answerTo(invite, '200 OK', caller.address, ANSWER));
    expect(await modified).toBe(ANSWER);
    const ack = await caller.next('ACK');
    expect(headerIn(ack, 'CSeq')).toBe(headerIn(invite, 'CSeq').replace('INVITE', 'ACK'));
    await call.end();
  });

  it('a refused re-INVITE of the application is acknowledged for it, and the call stays', async () => {
    const { caller, call } = await dial('answer');
    await call.establish();
    await app.noticed(call.callId, 'ack');
    const { dialog } = await app.noticed(call.callId, 'dialog');
    const refused = expect(dialog!.modify(HOLD)).rejects.toMatchObject({ status: 488 });
    const invite = await caller.next('INVITE');
    caller.send(answerTo(invite, '488 Not Acceptable Here', caller.address));
    await refused;
    const ack = await caller.next('ACK');
    expect(headerIn(ack, 'Via')).toContain(/branch=[^;]+/.exec(headerIn(invite, 'Via'))![0]);
    await call.end();
  });

  it('a request of the application inside a dialog gets its answer', async () => {
    const { caller, call } = await dial('answer');
    await call.establish();
    await app.noticed(call.callId, 'ack');
    const { dialog } = await app.noticed(call.callId, 'dialog');
    const answered = dialog!.request({ method: 'OPTIONS' });
    caller.send(answerTo(await caller.next('OPTIONS'), '200 OK', caller.address));
    expect((await answered).status).toBe(200);
    await call.end();
  });

  it('late offer: the 200 carries the offer, the ACK the answer', async () => {
    const { call } = await dial('answer');
    const ok = await call.establish('', ANSWER);
    expect(bodyOf(ok)).toBe(OFFER);
    expect((await app.noticed(call.callId, 'ack')).detail).toBe(ANSWER);
    await call.end();
  });

  it.each(['UDP', 'TCP'] as const)("OPTIONS over %s is the application's to answer", async (transport) => {
    const { caller, call } = await dial('anybody', transport);
    call.send('OPTIONS');
    expect(headerIn(await caller.next('SIP/2.0 200'), 'Allow')).toBe('INVITE, ACK, BYE');
  });

  it('a method that the application does not take gets 503', async () => {
    const { caller, call } = await dial('anybody');
    call.send('PUBLISH');
    await caller.next('SIP/2.0 503');
  });

  it('a request in a dialog that is not there gets 481', async () => {
    const { caller, call } = await dial('answer');
    call.learn(`To: <sip:answer@${sipHost}:${sipPort}>;tag=nothing`);
    call.send('BYE');
    await caller.next('SIP/2.0 481');
  });

  it('a second BYE gets 481', async () => {
    const { caller, call } = await dial('answer');
    await call.establish();
    await call.end();
    call.send('BYE');
    await caller.next('SIP/2.0 481');
  });

  it('a 200 is repeated until its ACK; without one the call ends with a BYE and the reason', {
    timeout: 60_000,
  }, async () => {
    const { caller, call } = await dial('answer');
    call.send('INVITE', OFFER);
    const ok = await caller.next('SIP/2.0 200');
    expect(await caller.next('SIP/2.0 200')).toBe(ok);
    const bye = await caller.next('BYE', 40_000);
    expect(headerIn(bye, 'Reason')).toContain('text="ACK timeout"');
    caller.send(answerTo(bye, '200 OK', caller.address));
    expect((await app.noticed(call.callId, 'destroy')).detail).toBe('ACK timeout');
  });
});

async function finishCancel(caller: SipCaller, call: Call): Promise<void> {
  // Which of the two comes first is not laid down.
  const finals: string[] = [];
  while (finals.length < 2) {
    const message = await caller.next('SIP/2.0 ');
    if (!message.startsWith('SIP/2.0 1')) finals.push(message);
  }
  finals.sort();
  expect(finals.map((message) => message.slice(8, 11))).toEqual(['200', '487']);
  call.ackFailure(finals[1]!);
}
