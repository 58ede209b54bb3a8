import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encode } from '../support/g711.ts';
import { eventually, TestGateway } from '../support/gateway.ts';
import { compareHeard } from '../support/heard.ts';
import type { PhoneCall } from '../support/phone-call.ts';
import { writeRtp } from '../support/rtp-packet.ts';
import type { TestPhone } from '../support/test-phone.ts';
import { readWav, speechFile } from '../support/wav.ts';

/** Every RTP and RTCP port that the gateway may use: eight pairs. */
const FIRST_PORT = 26_000;
const PORTS = Array.from({ length: 16 }, (_, i) => FIRST_PORT + i);
const STRANGER = '127.0.0.66';
const INTERVAL_MS = 5;
/** So that what it sends is never taken for anything else. */
const LOUD = new Uint8Array(160).fill(0x01);
const RECEIVER_REPORT = Buffer.from([0x80, 201, 0, 1, 0, 0, 0, 1]);
const BYE = Buffer.from([0x81, 203, 0, 1, 0, 0, 0, 1]);
const PAYLOAD_TYPES = [0, 8, 101, 13, 96, 111];
const speech = readWav(speechFile).subarray(0, 16_000);

/** Sends to every port four times as fast as a phone, RTP of each payload type in turn and RTCP; hears what comes. */
class Attacker {
  readonly stolen: Buffer[] = [];
  sent = 0;
  /** It may have seen that of the call on the wire. */
  ssrc = 1;
  readonly #socket: Socket;
  #timer: NodeJS.Timeout | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (packet) => this.stolen.push(packet));
    this.#timer = setInterval(() => this.#round(), INTERVAL_MS);
  }

  static async start(host: string): Promise<Attacker> {
    const socket = createSocket('udp4');
    socket.bind(0, host);
    await once(socket, 'listening');
    return new Attacker(socket);
  }

  /** Resolves when every port has got so many packets more. */
  async rounds(count: number): Promise<void> {
    const until = this.sent + count * PORTS.length;
    await eventually(`the attacker has sent ${count} rounds`, () => this.sent >= until);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#socket.close();
  }

  #round(): void {
    const n = this.sent / PORTS.length;
    const packet = n % 10 === 9 ? Buffer.concat([RECEIVER_REPORT, BYE]) : this.#rtp(n);
    for (const port of PORTS) this.#socket.send(packet, port, '127.0.0.1');
    this.sent += PORTS.length;
  }

  #rtp(n: number): Buffer {
    const pt = PAYLOAD_TYPES[n % PAYLOAD_TYPES.length] as number;
    const fields = { pt, seq: n & 0xffff, timestamp: n * 160, ssrc: this.ssrc, marker: n === 0 };
    return writeRtp({ ...fields, payload: LOUD });
  }
}

describe('a stranger who sends to every RTP port', () => {
  let gateway: TestGateway;
  let phone: TestPhone;
  let attacker: Attacker;

  beforeEach(async () => {
    gateway = await TestGateway.start({
      settings: { media: { address: '127.0.0.1', ports: `${FIRST_PORT}-${FIRST_PORT + PORTS.length - 1}` } },
    });
    phone = await gateway.phone();
  });
  afterEach(async () => {
    attacker.stop();
    await phone.stop();
    await gateway.stop();
  });

  const dropped = () => gateway.metric('kallglot_rtp_dropped_total{reason="source"}');

  /** The phone hears its own words and nothing else, and the attacker nothing at all. */
  async function expectNoBleed(call: PhoneCall): Promise<void> {
    const { startedAt } = await call.media.play(speech);
    await attacker.rounds(100);
    const report = compareHeard(encode('PCMU', speech), call.media.heard, { playedAt: startedAt });
    expect(report.speechMatched).toBe(1);
    expect(report.missingMs).toBe(0);
    expect(call.media.heard.filter(({ payload }) => payload.every((byte) => byte === LOUD[0]))).toEqual([]);
    expect(attacker.stolen).toEqual([]);
  }

  test('before and during a call hears nothing and is not heard', async () => {
    attacker = await Attacker.start(STRANGER);
    await attacker.rounds(10);
    const call = await phone.call(gateway.uri(await gateway.session()));
    expect(call.status).toBe(200);
    await expectNoBleed(call);
  });

  test('with the SSRC of the call, and from its own address, hears nothing and is not heard', async () => {
    const call = await phone.call(gateway.uri(await gateway.session()));
    await eventually('the phone hears', () => call.media.heard.length > 10);
    attacker = await Attacker.start('127.0.0.1');
    attacker.ssrc = call.media.ssrc;
    await expectNoBleed(call);
  });

  test('gains nothing while a call is on hold, however long the phone is silent', async () => {
    const call = await phone.call(gateway.uri(await gateway.session()));
    await eventually('the phone hears', () => call.media.heard.length > 10);
    expect((await call.reinvite({ direction: 'sendonly' })).status).toBe(200);
    call.media.mute();
    attacker = await Attacker.start(STRANGER);
    await eventually('strangers reach the socket again', async () => (await dropped()) > 0);
    expect((await call.reinvite({ direction: 'sendrecv' })).status).toBe(200);
    call.media.unmute();
    await expectNoBleed(call);
  });
});
