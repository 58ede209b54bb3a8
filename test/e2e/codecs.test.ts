import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { acme, TestGateway } from '../support/gateway.ts';
import { inOrder } from '../support/heard-stream.ts';
import type { PhoneCall } from '../support/phone-call.ts';
import { type Codec, forms, heardSamples, likeness } from '../support/phone-codecs.ts';
import type { HeardPacket } from '../support/rtp-packet.ts';
import type { TestPhone, TestPhoneOptions } from '../support/test-phone.ts';
import { readWav, speechFile } from '../support/wav.ts';

/** Two seconds of the speech. */
const speech = readWav(speechFile).subarray(0, 16_000);

/** Speaks, and waits until the last of it should have come back. */
async function speak(call: PhoneCall): Promise<void> {
  call.media.heard.length = 0;
  await call.media.play(speech);
  await new Promise((resolve) => setTimeout(resolve, 800));
}

const numberOf = (packets: readonly HeardPacket[], codec: Codec): number =>
  packets.filter((packet) => packet.pt === forms[codec].payloadType).length;

describe.concurrent('a call through the echo pipeline', () => {
  let gateway: TestGateway;
  const phones: TestPhone[] = [];

  beforeAll(async () => {
    const thrifty = {
      ...{ id: 'thrifty', name: 'Thrifty', api_keys: ['sk_test_thrifty_0123456789'] },
      sip: { username: 'thrifty', password: 'thrifty-password', codecs: ['G722', 'PCMA'] },
    };
    gateway = await TestGateway.start({ organizations: [acme, thrifty] });
  });
  afterAll(async () => {
    await Promise.all(phones.map((phone) => phone.stop()));
    await gateway.stop();
  });

  async function call(options: TestPhoneOptions, key?: string) {
    const phone = await gateway.phone(options);
    phones.push(phone);
    const id = await gateway.session({}, key);
    const made = await phone.call(gateway.uri(id));
    expect(made.status).toBe(200);
    return { id, call: made };
  }

  test.each([
    ['opus', 20, 0.85],
    ['opus', 10, 0.85],
    ['opus', 60, 0.85],
    ['G722', 20, 0.95],
    ['G722', 30, 0.95],
  ] as const)('in %s, with packets of %i ms, is heard back', async (codec, ptimeMs, least) => {
    const { id, call: made } = await call({ codecs: [codec], ptimeMs });
    await speak(made);
    const { body } = await gateway.rest('GET', `/v1/sessions/${id}/calls`);
    await made.bye();
    expect(body.data[0]).toMatchObject({ codec });
    const heard = [...made.media.heard];
    expect(numberOf(heard, codec)).toBe(heard.length);
    expect(likeness(speech, await heardSamples(heard, codec))).toBeGreaterThan(least);
    expect(new Set(heard.map((packet) => packet.ssrc)).size).toBe(1);
    const step = 20 * forms[codec].clock;
    for (const [i, { seq, timestamp }] of inOrder(heard).entries()) {
      const before = inOrder(heard)[i - 1];
      if (!before) continue;
      expect(seq - before.seq).toBe(1);
      // On a machine that stalls for over 100 ms timestamps skip what was not sent, in whole packets.
      expect((timestamp - before.timestamp) % step).toBe(0);
      expect(timestamp).toBeGreaterThan(before.timestamp);
    }
  });

  test('in Opus loses hardly anything with 5 % of its packets, because copies of them come with the next ones', async () => {
    const { call: made } = await call({ codecs: ['opus'] });
    made.media.impairment = { drop: (n) => n % 20 === 10 };
    await speak(made);
    await made.bye();
    expect(likeness(speech, await heardSamples(made.media.heard, 'opus'))).toBeGreaterThan(0.85);
  });

  test('goes on over changes of codec: numbers without a gap, timestamps that never go back', async () => {
    const { call: made } = await call({ codecs: ['PCMU', 'opus', 'PCMA'] });
    const heard: HeardPacket[] = [];
    for (const codec of ['PCMU', 'opus', 'PCMA'] as const) {
      if (codec !== 'PCMU') expect((await made.reinvite({ codec })).status).toBe(200);
      // What was heard so far stays; what was still on its way in the old codec comes first.
      heard.push(...made.media.heard);
      await speak(made);
      const { payloadType } = forms[codec];
      const since = made.media.heard.filter((packet) => packet.pt === payloadType);
      expect(likeness(speech, await heardSamples(since, codec))).toBeGreaterThan(0.85);
    }
    heard.push(...made.media.heard);
    await made.bye();
    const clocks = new Map(Object.values(forms).map(({ payloadType, clock }) => [payloadType, clock]));
    const order = inOrder(heard);
    expect(new Set(order.map(({ packet }) => packet.pt))).toEqual(new Set([0, 111, 8]));
    order.slice(1).forEach(({ packet, seq, timestamp }, i) => {
      const before = order[i]!;
      expect(seq - before.seq).toBe(1);
      expect(timestamp).toBeGreaterThan(before.timestamp);
      const sameClock = clocks.get(packet.pt) === clocks.get(before.packet.pt);
      expect(packet.ssrc === before.packet.ssrc).toBe(sameClock);
    });
  });

  test('speaks what the trunk wants most of what the phone can', async () => {
    const options = { username: 'thrifty', password: 'thrifty-password' };
    const key = 'sk_test_thrifty_0123456789';
    const both = await call({ ...options, codecs: ['opus', 'PCMA', 'G722'] }, key);
    expect(both.call.answerSdp).toMatch(/m=audio \d+ RTP\/AVP 9 101\r\n/);
    const phone = await gateway.phone({ ...options, codecs: ['PCMU'] });
    phones.push(phone);
    const refused = await phone.call(gateway.uri(await gateway.session({}, key)));
    expect(refused.status).toBe(488);
    expect(refused.headers.get('x-kallglot-error')).toBe('no_common_codec');
  });
});
