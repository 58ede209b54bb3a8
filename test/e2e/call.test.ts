import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encode } from '../support/g711.ts';
import { eventually, TestGateway } from '../support/gateway.ts';
import { compareHeard } from '../support/heard.ts';
import { pacing } from '../support/pacing.ts';
import type { PhoneCall } from '../support/phone-call.ts';
import type { TestPhone, TestPhoneOptions } from '../support/test-phone.ts';
import { readWav, speechFile } from '../support/wav.ts';

/** The first two seconds of the speech. */
const speech = readWav(speechFile).subarray(0, 16_000);

/** Speaks, and waits until the last of it should have come back. */
async function speak(call: PhoneCall) {
  const { startedAt } = await call.media.play(speech);
  await new Promise((resolve) => setTimeout(resolve, 800));
  return compareHeard(encode('PCMU', speech), call.media.heard, { playedAt: startedAt });
}

describe.concurrent('a call through the echo pipeline', () => {
  let gateway: TestGateway;
  const phones: TestPhone[] = [];

  beforeAll(async () => {
    gateway = await TestGateway.start();
  });
  afterAll(async () => {
    await Promise.all(phones.map((phone) => phone.stop()));
    await gateway.stop();
  });

  async function call(options: TestPhoneOptions = {}, callOptions = {}) {
    const phone = await gateway.phone(options);
    phones.push(phone);
    const id = await gateway.session();
    const made = await phone.call(gateway.uri(id, { transport: options.transport }), callOptions);
    expect(made.status).toBe(200);
    return { id, call: made };
  }

  test('is heard back sample by sample with PCMU, and every packet leaves 20 ms after the one before', async () => {
    const { call: made } = await call();
    const report = await speak(made);
    await made.bye();
    expect(report.speechMatched).toBe(1);
    expect(report.missingMs).toBe(0);
    const { packets, ssrcs, lost, duplicates, timestampFaults } = pacing(made.media.heard);
    expect({ ssrcs, lost, duplicates, timestampFaults }).toEqual({
      ssrcs: 1,
      lost: 0,
      duplicates: 0,
      timestampFaults: 0,
    });
    expect(packets).toBeGreaterThan(100);
    expect(made.media.heard.every((packet) => packet.payload.length === 160)).toBe(true);
  });

  test('is heard back with PCMA', async () => {
    const { call: made } = await call({ codecs: ['PCMA'] });
    expect(made.answerSdp).toMatch(/m=audio \d+ RTP\/AVP 8\b/);
    const report = await speak(made);
    await made.bye();
    expect(report.speechMatched).toBeGreaterThan(0.99);
  });

  test('over TCP is heard back too', async () => {
    const { call: made } = await call({ transport: 'tcp' });
    const report = await speak(made);
    await made.bye();
    expect(report.speechMatched).toBe(1);
  });

  test.each([10, 30, 40, 60] as const)(
    'that sends %i ms a packet gets 20 ms a packet back',
    async (ptimeMs) => {
      const { call: made } = await call({ ptimeMs });
      const report = await speak(made);
      await made.bye();
      expect(report.speechMatched).toBe(1);
      expect(made.media.heard.every((packet) => packet.payload.length === 160)).toBe(true);
    },
  );

  test('with a late offer is heard back', async () => {
    const { call: made } = await call({}, { sdp: 'late' });
    const report = await speak(made);
    await made.bye();
    expect(report.speechMatched).toBe(1);
  });

  test('makes its session active, and its end is counted', async () => {
    const { id, call: made } = await call();
    await speak(made);
    expect((await gateway.rest('GET', `/v1/sessions/${id}`)).body.status).toBe('active');
    const ends = await gateway.metric('kallglot_ends_total{reason="hangup"}');
    await made.bye();
    await eventually('the end is counted', async () => {
      return (await gateway.metric('kallglot_ends_total{reason="hangup"}')) > ends;
    });
  });

  test('on hold hears nothing and is not heard, and goes on after it', async () => {
    const { call: made } = await call();
    const held = await made.reinvite({ direction: 'sendonly' });
    expect(held.status).toBe(200);
    expect(held.sdp).toContain('a=recvonly');
    const before = made.media.heard.length;
    await made.media.play(speech.subarray(0, 4000));
    expect(made.media.heard.length - before).toBeLessThan(5);
    const resumed = await made.reinvite({ direction: 'sendrecv' });
    expect(resumed.sdp).not.toContain('a=recvonly');
    const report = await speak(made);
    await made.bye();
    expect(report.speechMatched).toBe(1);
  });

  test('changes its codec in the middle and is heard back in the new one', async () => {
    const { call: made } = await call();
    const changed = await made.reinvite({ codec: 'PCMA' });
    expect(changed.sdp).toMatch(/m=audio \d+ RTP\/AVP 8\b/);
    made.media.heard.length = 0;
    const report = await speak(made);
    await made.bye();
    expect(report.speechMatched).toBeGreaterThan(0.99);
  });

  test('moves to another port by re-INVITE and is heard back there', async () => {
    const { call: made } = await call();
    await speak(made);
    expect((await made.reinvite({ newPort: true })).status).toBe(200);
    made.media.heard.length = 0;
    const report = await speak(made);
    await made.bye();
    expect(report.speechMatched).toBe(1);
  });

  test('answers a re-INVITE without SDP with a full offer, and takes the answer from the ACK', async () => {
    const { call: made } = await call();
    const late = await made.reinvite({ late: true });
    expect(late.status).toBe(200);
    expect(late.sdp).toContain('m=audio');
    const report = await speak(made);
    await made.bye();
    expect(report.speechMatched).toBe(1);
  });
});
