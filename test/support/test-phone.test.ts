import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { encode } from './g711.ts';
import { compareHeard } from './heard.ts';
import type { IncomingCall } from './incoming-call.ts';
import { pacing } from './pacing.ts';
import type { PhoneCall } from './phone-call.ts';
import { bindPair } from './port-pair.ts';
import { TestPhone, type TestPhoneOptions } from './test-phone.ts';
import { readWav, speechFile } from './wav.ts';

const speech = readWav(speechFile).subarray(0, 12_000);
const played = encode('PCMU', speech);
const phones: TestPhone[] = [];

async function phone(options: TestPhoneOptions = {}): Promise<TestPhone> {
  const one = await new TestPhone(options).start();
  phones.push(one);
  return one;
}

/** A phone that takes every call and keeps it. */
async function answering(
  options: TestPhoneOptions = {},
  accept: { echo?: boolean } = {},
): Promise<{ callee: TestPhone; calls: PhoneCall[] }> {
  const callee = await phone({ username: 'callee', ...options });
  const calls: PhoneCall[] = [];
  callee.answer(async (incoming) => {
    calls.push(await incoming.accept(accept));
  });
  return { callee, calls };
}

/** Waits until `to` has heard as many packets as `from` has sent by now. */
async function allArrived(from: PhoneCall, to: PhoneCall): Promise<void> {
  const { sent } = from.media.counters;
  await vi.waitFor(() => expect(to.media.heard.length).toBeGreaterThanOrEqual(sent));
}

afterEach(async () => {
  await Promise.all(phones.splice(0).map((one) => one.stop()));
});

describe.each(['udp', 'tcp'] as const)('a call over %s', (transport) => {
  test('rings, is answered, and the caller hears its echo byte for byte', async () => {
    const callee = await phone({ transport });
    callee.answer(async (incoming) => {
      incoming.ring();
      await incoming.accept({ echo: true });
    });
    const call = await (await phone({ transport })).call(callee.uri);
    expect(call.status).toBe(200);
    expect(call.provisional.map((one) => one.status)).toEqual([100, 180]);
    expect(call.answeredAfterMs).toBeGreaterThanOrEqual(call.provisional[1]!.afterMs);
    const { startedAt, complete } = await call.media.play(speech);
    expect(complete).toBe(true);
    await allArrived(call, call);
    const report = compareHeard(played, call.media.heard, { playedAt: startedAt });
    expect(report).toMatchObject({ speechMatched: 1, exact: true });
    expect(report.delayMs).toBeGreaterThan(0);
    expect((await call.bye()).status).toBe(200);
  });

  test('ends when the other side hangs up, and says why', async () => {
    const { callee, calls } = await answering({ transport });
    const call = await (await phone({ transport })).call(callee.uri);
    await calls[0]!.bye({ Reason: 'Q.850;cause=16;text="session_ended"' });
    expect(await call.ended).toMatchObject({
      by: 'remote',
      reasonHeader: 'Q.850;cause=16;text="session_ended"',
    });
    expect(call.isUp).toBe(false);
  });

  test('is taken back while it rings: 200 to the CANCEL, 487 to the INVITE', async () => {
    const callee = await phone({ transport });
    const rung: IncomingCall[] = [];
    callee.answer((incoming) => {
      rung.push(incoming);
      incoming.ring();
    });
    let canceled: Promise<{ status: number }> | undefined;
    const call = await (await phone({ transport })).call(callee.uri, {
      onProvisional: ({ status }, ringing) => {
        if (status === 180) canceled = ringing.cancel();
      },
    });
    expect(call.status).toBe(487);
    expect((await canceled)?.status).toBe(200);
    await rung[0]!.canceled;
  });
});

describe('signalling', () => {
  test('a refusal arrives with its status, reason and headers', async () => {
    const callee = await phone();
    callee.answer((incoming) => incoming.reject(486, 'Busy Here', { 'X-Kallglot-Error': 'role_taken' }));
    const call = await (await phone()).call(callee.uri);
    expect([call.status, call.reason, call.headers.get('x-kallglot-error')]).toEqual([
      486,
      'Busy Here',
      'role_taken',
    ]);
    expect(call.isUp).toBe(false);
  });

  test.each(['MD5', 'SHA-256'] as const)(
    'a %s challenge is answered once, with the right response',
    async (algorithm) => {
      const hash = (text: string) =>
        createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
          .update(text)
          .digest('hex');
      const callee = await phone();
      const invites: IncomingCall[] = [];
      callee.answer(async (incoming) => {
        invites.push(incoming);
        const given = incoming.invite.headers.get('authorization');
        if (given === undefined) {
          return incoming.reject(401, 'Unauthorized', {
            'WWW-Authenticate': `Digest realm="r", nonce="n0", qop="auth,auth-int", algorithm=${algorithm}`,
          });
        }
        const field = (name: string) => new RegExp(`\\b${name}="?([^",]+)`).exec(given)![1];
        const ha1 = hash('acme:r:secret');
        const ha2 = hash(`INVITE:${field('uri')}`);
        const right = hash(`${ha1}:n0:${field('nc')}:${field('cnonce')}:auth:${ha2}`);
        if (field('response') !== right) return incoming.reject(403, 'Forbidden');
        await incoming.accept();
      });
      const right = await phone({ username: 'acme', password: 'secret' });
      expect((await right.call(callee.uri)).status).toBe(200);
      const [first, second] = invites.map((one) => one.invite.headers);
      expect(second!.get('call-id')).toBe(first!.get('call-id'));
      expect([first!.get('cseq'), second!.get('cseq')]).toEqual(['1 INVITE', '2 INVITE']);
      const wrong = await phone({ username: 'acme', password: 'wrong' });
      expect((await wrong.call(callee.uri)).status).toBe(403);
      expect(invites).toHaveLength(4);
    },
  );

  test('a withheld ACK lets the answer come again, and an ACK ends that', async () => {
    const { callee, calls } = await answering({ t1Ms: 20 });
    const call = await (await phone()).call(callee.uri, { withholdAck: true });
    await vi.waitFor(() => expect(call.repeatedAnswers).toBeGreaterThan(1));
    call.withholdAck = false;
    await call.ack();
    await vi.waitFor(() => expect(calls[0]!.requests.map((one) => one.method)).toEqual(['ACK']));
    expect((await call.bye()).status).toBe(200);
  });

  test('a request that is lost is sent again, the same bytes at growing distances', async () => {
    const deaf = createSocket('udp4');
    await new Promise<void>((resolve) => deaf.bind(0, '127.0.0.1', resolve));
    const received: string[] = [];
    deaf.on('message', (bytes, from) => {
      received.push(bytes.toString());
      if (received.length < 3) return;
      const answer = `${bytes}`.replace(/^.*\r\n/, 'SIP/2.0 200 OK\r\n');
      deaf.send(answer, from.port, from.address);
    });
    const caller = await phone({ t1Ms: 20 });
    const answer = await caller.request('OPTIONS', `sip:x@127.0.0.1:${deaf.address().port}`);
    expect(answer.status).toBe(200);
    expect(new Set(received)).toHaveLength(1);
    deaf.close();
  });

  test('nobody there is an error after 64 T1', async () => {
    const { port } = await bindPair('127.0.0.1');
    const caller = await phone({ t1Ms: 2 });
    await expect(caller.request('OPTIONS', `sip:x@127.0.0.1:${port}`)).rejects.toThrow(
      'no final answer within 128 ms',
    );
    await expect(caller.call(`sip:x@127.0.0.1:${port}`)).rejects.toThrow('INVITE: no final answer');
  });

  test('requests outside of a call, and bytes as they are, reach the other side', async () => {
    const callee = await phone();
    const caller = await phone();
    expect((await caller.request('OPTIONS', callee.uri)).status).toBe(200);
    expect((await caller.request('MESSAGE', callee.uri, { body: 'hi' })).status).toBe(481);
    await caller.sendRaw('not SIP at all\r\n\r\n', callee.uri);
    await vi.waitFor(() => expect(callee.client.counters.unparsable).toBe(1));
  });

  test('requests inside the call are answered, and can be answered otherwise', async () => {
    const { callee, calls } = await answering();
    const call = await (await phone()).call(callee.uri);
    expect((await call.options()).status).toBe(200);
    expect((await call.info('application/dtmf-relay', 'Signal=5\r\nDuration=160\r\n')).status).toBe(200);
    calls[0]!.onRequest = () => ({ status: 488, reason: 'Not Acceptable Here' });
    const refused = await call.reinvite({ codec: 'PCMA', newPort: true });
    expect(refused).toMatchObject({ status: 488, remote: undefined });
    expect(calls[0]!.requests.map((one) => one.method)).toEqual(['ACK', 'OPTIONS', 'INFO', 'INVITE']);
  });
});

describe('offer and answer', () => {
  test('an INVITE without SDP gets the offer in the 200, and the ACK answers it', async () => {
    const { callee, calls } = await answering();
    const caller = await phone({ codecs: ['PCMA'] });
    const call = await caller.call(callee.uri, { sdp: 'late' });
    expect(call.remote?.payloadTypes).toEqual([0, 8, 101]);
    await vi.waitFor(() => expect(calls[0]!.remote?.payloadTypes).toEqual([8, 101]));
    await vi.waitFor(() => expect(calls[0]!.media.heard[0]?.pt).toBe(8));
  });

  test('a custom offer goes out as it is', async () => {
    const { callee, calls } = await answering();
    const call = await (await phone()).call(callee.uri, { sdp: (offer) => offer.replace('s=-', 's=mine') });
    expect(call.status).toBe(200);
    expect(calls[0]!.invite?.body).toContain('s=mine');
  });

  test('hold stops the other side, resume starts it again; codec and port follow a re-INVITE', async () => {
    const { callee, calls } = await answering();
    const call = await (await phone()).call(callee.uri);
    await vi.waitFor(() => expect(call.media.heard.length).toBeGreaterThan(2));
    expect((await call.reinvite({ direction: 'sendonly' })).remote?.direction).toBe('recvonly');
    const sent = calls[0]!.media.counters.sent;
    const sentByUs = call.media.counters.sent;
    await vi.waitFor(() => expect(call.media.counters.sent).toBeGreaterThan(sentByUs + 3));
    expect(calls[0]!.media.counters.sent).toBe(sent);
    expect((await call.reinvite({ direction: 'sendrecv' })).remote?.direction).toBe('sendrecv');

    const port = call.media.port;
    const moved = await call.reinvite({ newPort: true, codec: 'PCMA' });
    expect(moved.remote).toMatchObject({ codec: 'PCMA' });
    expect(call.media.port).not.toBe(port);
    await vi.waitFor(() => expect(call.media.heard.at(-1)?.pt).toBe(8));
    await vi.waitFor(() =>
      expect(calls[0]!.media.heard.at(-1)).toMatchObject({ pt: 8, from: call.media.port }),
    );
    expect((await call.reinvite({ late: true })).status).toBe(200);
  });
});

describe('media', () => {
  test.each([10, 20, 30, 40, 60] as const)(
    'packets of %d ms leave in step, for all codecs alike',
    async (ptimeMs) => {
      const { callee, calls } = await answering();
      const caller = await phone({ ptimeMs, codecs: ['PCMA'] });
      const call = await caller.call(callee.uri);
      await call.media.play(speech.subarray(0, 8000));
      await allArrived(call, calls[0]!);
      const heard = calls[0]!.media.heard.slice();
      expect(pacing(heard, ptimeMs * 8)).toMatchObject({ lost: 0, timestampFaults: 0, markers: 1 });
      expect(new Set(heard.map((one) => one.payload.length))).toEqual(new Set([ptimeMs * 8]));
      expect(compareHeard(played.subarray(0, 8000), heard)).toMatchObject({ exact: true });
    },
  );

  test('packets that a stalled process could not send in time follow at once, and the call gets no slower', async () => {
    const { callee } = await answering();
    const call = await (await phone()).call(callee.uri);
    const { sent } = call.media.counters;
    const startedAt = performance.now();
    while (performance.now() - startedAt < 300);
    const behind = () => performance.now() - startedAt - (call.media.counters.sent - sent) * 20;
    await vi.waitFor(() => expect(behind()).toBeLessThan(40), { interval: 5 });
    expect(behind()).toBeGreaterThan(-21);
  });

  test('a digit is one event with one timestamp, marked at its start, with its end three times', async () => {
    const { callee, calls } = await answering();
    const call = await (await phone()).call(callee.uri);
    await call.media.sendDigit('#', 100);
    await vi.waitFor(() => expect(calls[0]!.media.heard.filter((one) => one.pt === 101)).toHaveLength(7));
    const events = calls[0]!.media.heard.filter((one) => one.pt === 101);
    expect(events.map((one) => one.marker)).toEqual([true, ...Array(6).fill(false)]);
    expect(new Set(events.map((one) => one.timestamp))).toHaveLength(1);
    expect(events.map((one) => [one.payload[0], one.payload[1]! >> 7])).toEqual([
      ...Array(4).fill([11, 0]),
      ...Array(3).fill([11, 1]),
    ]);
    expect(() => call.media.sendDigit('x')).toThrow('not a DTMF digit');
  });

  test('another SSRC, a stranger’s packets and a moved port look as such to the other side', async () => {
    const { callee, calls } = await answering();
    const call = await (await phone()).call(callee.uri);
    const heard = () => calls[0]!.media.heard;
    await vi.waitFor(() => expect(heard().length).toBeGreaterThan(2));
    const strange = await call.media.inject(5, { host: '127.0.0.2', fields: { ssrc: 99, seq: 7 } });
    await vi.waitFor(() => expect(heard().filter((one) => one.from === strange)).toHaveLength(5));
    expect(heard().find((one) => one.from === strange)).toMatchObject({ ssrc: 99, seq: 7 });
    call.media.changeSsrc();
    await vi.waitFor(() =>
      expect(heard().at(-1)).toMatchObject({ ssrc: call.media.ssrc, from: call.media.port }),
    );
    call.media.move(await bindPair('127.0.0.1'));
    await vi.waitFor(() => expect(heard().at(-1)?.from).toBe(call.media.port));
  });

  test('a muted phone sends nothing, and goes on with a marker and the time that has passed', async () => {
    const { callee, calls } = await answering();
    const call = await (await phone()).call(callee.uri);
    await vi.waitFor(() => expect(calls[0]!.media.heard.length).toBeGreaterThan(2));
    call.media.mute();
    const sent = call.media.counters.sent;
    await call.media.play(speech.subarray(0, 1600));
    expect(call.media.counters.sent).toBe(sent);
    call.media.unmute();
    await vi.waitFor(() => expect(call.media.counters.sent).toBeGreaterThan(sent));
    await vi.waitFor(() => expect(pacing(calls[0]!.media.heard).markers).toBe(2));
    expect(pacing(calls[0]!.media.heard).timestampFaults).toBe(1);
  });

  test('stop and hanging up cut short what is playing', async () => {
    const { callee } = await answering();
    const call = await (await phone()).call(callee.uri);
    const first = call.media.play(speech);
    call.media.stop();
    expect((await first).complete).toBe(false);
    const second = call.media.play(speech);
    await call.bye();
    expect((await second).complete).toBe(false);
    expect((await call.media.play(speech)).complete).toBe(false);
  });
});
