import { randomInt } from 'node:crypto';
import { type Codec, forms, PhoneEncoders } from './phone-codecs.ts';
import type { Direction } from './phone-sdp.ts';
import { type Played, Playout } from './playout.ts';
import { bindPair, bindUdp, closePair, type PortPair } from './port-pair.ts';
import { type HeardPacket, type RtpFields, readRtp, writeRtp } from './rtp-packet.ts';
import { type CryptoLine, Srtp } from './srtp.ts';

/**
 * The RTP side of a test phone's call: sends what is played, and silence after it, on an absolute schedule; keeps
 * every packet that it hears. It can also do what phones should not: lose, repeat and reorder packets, jump to another
 * SSRC, send from a strange port.
 */
const MAX_HEARD = 200_000;
const SAMPLES_PER_MS = 8;

export interface MediaTarget {
  address: string;
  port: number;
  codec: Codec;
  eventPayloadType: number | undefined;
  /** Ours: nothing is sent on `recvonly` and `inactive`. */
  direction: Direction;
}

/** Faults by the number of the packet since the start, from 0; each says whether that packet is hit. */
export interface Impairment {
  drop?: (n: number) => boolean;
  duplicate?: (n: number) => boolean;
  /** The packet is sent after its successor. */
  swap?: (n: number) => boolean;
}

export class RtpEndpoint {
  readonly host: string;
  /** Everything heard, in order of arrival; speech and events alike. */
  readonly heard: HeardPacket[] = [];
  /** RTCP packets as they came. */
  readonly rtcp: { at: number; bytes: Buffer }[] = [];
  /** Packets that were sent; that came and were not RTP, not under the key, or beyond the 200,000 that are kept. */
  readonly counters = { sent: 0, notRtp: 0, notKept: 0, notAuthentic: 0 };
  impairment: Impairment = {};
  /** Sends every packet of speech straight back (events never). Silence the pacer with `mute()`. */
  echo = false;
  readonly #ptimeMs: number;
  readonly #encoders: PhoneEncoders;
  readonly #playout = new Playout();
  #pair: PortPair;
  #target: MediaTarget | undefined;
  #timer: NodeJS.Timeout | undefined;
  #nextAt = 0;
  #closed = false;
  #muted = false;
  #marker = true;
  #count = 0;
  #ssrc = randomInt(2 ** 32);
  #seq = randomInt(2 ** 16);
  #timestamp = randomInt(2 ** 32);
  #swapped: Buffer | undefined;
  #keys = '';
  #protect: Srtp | undefined;
  #open: Srtp | undefined;

  private constructor(host: string, ptimeMs: number, pair: PortPair, encoders: PhoneEncoders) {
    this.host = host;
    this.#ptimeMs = ptimeMs;
    this.#encoders = encoders;
    this.#pair = pair;
    this.#listen(pair);
  }

  /** Binds a free pair of ports. @param ptimeMs audio per packet sent, 10 to 60 @param codecs that may be negotiated */
  static async open(host: string, ptimeMs: number, codecs: readonly Codec[]): Promise<RtpEndpoint> {
    const encoders = await PhoneEncoders.open(codecs);
    return new RtpEndpoint(host, ptimeMs, await bindPair(host), encoders);
  }

  /** SRTP from now on; keys that are the same as before reset nothing. */
  secure(ours: CryptoLine, theirs: CryptoLine): void {
    const keys = `${ours.key} ${theirs.key}`;
    if (keys === this.#keys) return;
    this.#keys = keys;
    this.#protect = new Srtp(ours.suite, ours.key);
    this.#open = new Srtp(theirs.suite, theirs.key);
  }

  get port(): number {
    return this.#pair.port;
  }

  get ssrc(): number {
    return this.#ssrc;
  }

  /** What offer/answer agreed; the first call starts the sending. */
  configure(target: MediaTarget): void {
    this.#target = target;
    if (this.#timer || this.#closed) return;
    this.#nextAt = performance.now();
    this.#tick();
  }

  /** Speaks after what is playing already. @returns when its last packet has been sent */
  async play(samples: Int16Array): Promise<Played> {
    return this.#closed ? { startedAt: 0, endedAt: 0, complete: false } : this.#playout.play(samples);
  }

  /** Sends a digit as telephone-event in place of audio. @returns when its end has been sent (three times) */
  sendDigit(digit: string, durationMs = 100): Promise<void> {
    return this.#playout.sendDigit(digit, durationMs);
  }

  /** Cuts short what is playing; silence goes on. */
  stop(): void {
    this.#playout.stop();
  }

  /** Sends nothing at all while muted, as Asterisk between prompts; time and the timestamp run on. */
  mute(): void {
    this.#muted = true;
  }

  unmute(): void {
    this.#muted = false;
    this.#marker = true;
  }

  /** Goes on with another SSRC, sequence number and timestamp, as a PBX does after a transfer. */
  changeSsrc(): void {
    this.#ssrc = randomInt(2 ** 32);
    this.#seq = randomInt(2 ** 16);
    this.#timestamp = randomInt(2 ** 32);
    this.#marker = true;
  }

  /** Sends bytes as they are from the RTP port to where our RTP goes. */
  sendRaw(bytes: Uint8Array): void {
    const target = this.#target;
    if (this.#closed || !target || target.port === 0) return;
    this.#pair.rtp.send(bytes, target.port, target.address);
  }

  sendRtcp(bytes: Uint8Array): void {
    const target = this.#target;
    if (!this.#closed && target) this.#pair.rtcp.send(bytes, target.port + 1, target.address);
  }

  /**
   * Sends packets to where our RTP goes from a port that is not ours: an attacker, or a NAT that moved.
   * @param options.host its address, `127.0.0.2` for a stranger's
   * @param options.fields of the first packet; sequence numbers and timestamps go on from there
   * @returns the port that they came from
   */
  async inject(
    count: number,
    options: { host?: string; fields?: Partial<RtpFields>; intervalMs?: number } = {},
  ): Promise<number> {
    const target = this.#target;
    if (!target) throw new Error('the call has no media yet');
    const socket = await bindUdp(options.host ?? this.host);
    const first: RtpFields = {
      pt: forms[target.codec].payloadType,
      seq: 1,
      timestamp: 1,
      ssrc: randomInt(2 ** 32),
      marker: false,
      payload: new Uint8Array(160).fill(0x01),
      ...options.fields,
    };
    for (let i = 0; i < count; i++) {
      const timestamp = first.timestamp + i * first.payload.length;
      const packet = writeRtp({ ...first, seq: first.seq + i, timestamp });
      await new Promise((resolve) => socket.send(packet, target.port, target.address, resolve));
      if (options.intervalMs) await new Promise((resolve) => setTimeout(resolve, options.intervalMs));
    }
    const { port } = socket.address();
    socket.close();
    return port;
  }

  /** Sends from and listens on another pair from now on; the old one is closed. Without a re-INVITE: a NAT that moved. */
  move(pair: PortPair): void {
    closePair(this.#pair);
    this.#pair = pair;
    this.#listen(pair);
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#playout.stop();
    this.#encoders.close();
    closePair(this.#pair);
  }

  #listen(pair: PortPair): void {
    pair.rtp.on('message', (bytes, from) => this.#hear(bytes, from.port));
    pair.rtcp.on('message', (bytes) => {
      if (this.rtcp.length < MAX_HEARD) this.rtcp.push({ at: performance.now(), bytes });
    });
  }

  #hear(bytes: Buffer, from: number): void {
    const at = performance.now();
    const plain = this.#open ? this.#open.open(bytes) : bytes;
    if (plain === undefined) {
      this.counters.notAuthentic++;
      return;
    }
    const fields = readRtp(plain);
    if (!fields) this.counters.notRtp++;
    else if (this.heard.length >= MAX_HEARD) this.counters.notKept++;
    else this.heard.push({ ...fields, at, from });
    if (fields && this.echo && (fields.pt === 0 || fields.pt === 8)) {
      this.#transmit(writeRtp({ ...fields, ssrc: this.#ssrc }));
    }
  }

  /** Every packet has its time from the first one on: a late timer makes the next wait shorter, never the call slower. */
  #tick(): void {
    while (this.#nextAt <= performance.now()) {
      this.#sendNext();
      this.#nextAt += this.#ptimeMs;
    }
    this.#timer = setTimeout(() => this.#tick(), Math.max(1, this.#nextAt - performance.now()));
  }

  #sendNext(): void {
    const { codec, direction, eventPayloadType } = this.#target!;
    const samples = this.#ptimeMs * SAMPLES_PER_MS;
    const silent = this.#muted || direction === 'recvonly' || direction === 'inactive';
    const event = this.#playout.nextEvent(samples, this.#timestamp);
    if (event) {
      if (event.first) this.#marker = true;
      const copies = silent || eventPayloadType === undefined ? 0 : event.last ? 3 : 1;
      for (let i = 0; i < copies; i++) this.#sendPacket(eventPayloadType!, event.timestamp, event.payload);
    } else {
      const payload = this.#encoders.encode(codec, this.#playout.nextSamples(samples));
      if (!silent) this.#sendPacket(forms[codec].payloadType, this.#timestamp, payload);
    }
    this.#timestamp = (this.#timestamp + this.#ptimeMs * forms[codec].clock) >>> 0;
  }

  #sendPacket(pt: number, timestamp: number, payload: Uint8Array): void {
    const fields = { pt, seq: this.#seq, timestamp, ssrc: this.#ssrc, marker: this.#marker, payload };
    this.#seq = (this.#seq + 1) & 0xffff;
    this.#marker = false;
    this.#transmit(writeRtp(fields));
  }

  #transmit(plain: Buffer): void {
    const packet = this.#protect?.protect(plain) ?? plain;
    const n = this.#count++;
    const held = this.#swapped;
    this.#swapped = undefined;
    const drop = this.impairment.drop?.(n) ?? false;
    if (!drop && !held && this.impairment.swap?.(n)) {
      this.#swapped = packet;
      return;
    }
    if (!drop) this.#release(packet);
    if (!drop && this.impairment.duplicate?.(n)) this.#release(packet);
    this.#release(held);
  }

  #release(packet: Buffer | undefined): void {
    if (!packet) return;
    this.counters.sent++;
    this.sendRaw(packet);
  }
}
