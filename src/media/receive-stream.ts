import { ComfortNoise } from '../audio/comfort-noise.ts';
import type { AudioFormat } from '../audio/format.ts';
import type { AudioRing } from '../audio/ring.ts';
import type { CodecName } from '../config/codecs.ts';
import { codecs } from './codecs.ts';
import { InboundAudio } from './inbound-audio.ts';
import { JitterBuffer, type PacketKind } from './jitter-buffer.ts';
import { JitterTarget } from './jitter-target.ts';
import { createReceiveChain, type ReceiveChain } from './receive-chain.ts';
import { ReceptionStatistics } from './reception-statistics.ts';
import type { RtpHeader } from './rtp-header.ts';
import { DRAIN_ABOVE_MS, SpareSilence } from './spare-silence.ts';
import { SpeechBudget } from './speech-budget.ts';
import type { StatsBlock } from './stats-block.ts';
import { counter } from './stats-block.ts';
import { CLOCK_STEP_MS, StreamClock } from './stream-clock.ts';
import type { Voice } from './voice.ts';

/**
 * Turns the RTP packets of a leg into audio that is continuous in time, in the inbound ring. A pure core: packets and a
 * clock in, audio out. RTP timestamps decide where speech stands; the clock only steps in while nothing comes. What is
 * in order is there at once, and what is lost is made up when it has been waited for long enough. Speech is never cut:
 * what comes after something was put in its place is kept, and silence is left out later instead.
 *
 * Lengths are samples of the ring's rate; times are monotonic ms.
 */

/** The stream may be behind the clock by this before something else keeps time in the peer's stead. */
const MAX_BEHIND_MS = 200;
/** The clock carries speech on for so long; then it was the end, and not a loss. */
const MAX_CLOCK_SPEECH_MS = 60;
/** Of a loss at most this is made up; the rest is a pause. */
const MAX_CONCEALED_MS = 240;
/** The longest packet that is taken. */
const MAX_PACKET_MS = 60;

/** A codec at work. */
interface Coding {
  readonly chain: ReceiveChain;
  /** RTP timestamp units per ms, and per sample of the ring. */
  readonly unitsPerMs: number;
  readonly unitsPerSample: number;
  readonly maxPayloadBytes: number;
}

export class ReceiveStream {
  readonly #stats: StatsBlock;
  readonly #statistics: ReceptionStatistics;
  readonly #inbound: InboundAudio;
  readonly #buffer: JitterBuffer;
  readonly #target = new JitterTarget();
  readonly #clock: StreamClock;
  readonly #spare: SpareSilence;
  readonly #noise = new ComfortNoise();
  readonly #budget = new SpeechBudget();
  /** Samples of the ring per ms. */
  readonly #perMs: number;
  #codec: CodecName = 'PCMU';
  #coding: Coding;
  /** The codec that has been agreed since, until the first packet of it comes. */
  #next: Coding | undefined;
  #running = false;
  #ssrc = -1;
  #now = 0;
  /** The timestamp that comes next; meaningless until `#synced`. */
  #nextTimestamp = 0;
  #synced = false;
  /** Samples that the clock has put in since the last speech: a gap in timestamps there is filled already. */
  #invented = 0;
  /** Packets lost since the last speech. */
  #lost = 0;
  /** The last packet was comfort noise. */
  #isNoise = false;
  /** The last packet was a key press, which takes the place of speech. */
  #isEvent = false;

  constructor(ring: AudioRing, format: AudioFormat, stats: StatsBlock) {
    this.#stats = stats;
    this.#statistics = new ReceptionStatistics(stats);
    this.#inbound = new InboundAudio(ring, format, stats);
    this.#perMs = format.sampleRateHz / 1000;
    this.#clock = new StreamClock(this.#perMs);
    this.#spare = new SpareSilence(this.#perMs);
    this.#buffer = new JitterBuffer((header, bytes, kind, lost, arrivedAt) =>
      this.#deliver(header, bytes, kind, lost, arrivedAt),
    );
    this.#coding = this.#build('PCMU');
  }

  /**
   * Another codec counts from its first packet on: what is still on its way in the one before is heard.
   * @param held nothing is written, and time stands still until it is over
   */
  configure(codec: CodecName, held: boolean, now: number): void {
    this.#now = now;
    if (codec !== this.#codec) {
      this.#codec = codec;
      this.#next?.chain.close();
      this.#next = this.#build(codec);
    }
    if (held === !this.#running) return;
    this.#buffer.restart();
    this.#running = !held;
    this.#resync();
    this.#invented = 0;
    this.#clock.start(now, this.#inbound.position);
  }

  /** Takes an accepted packet; its payload may be rewritten in place. @param kind `former`: speech of the codec before */
  packet(header: RtpHeader, bytes: Uint8Array, kind: PacketKind | 'former', now: number): void {
    this.#now = now;
    if (this.#next && kind === 'speech') this.#change(this.#next);
    if (header.payloadLength > this.#coding.maxPayloadBytes) {
      this.#stats.add(counter.packetsDroppedInvalid, 1);
      return;
    }
    this.#stats.add(counter.packetsReceived, 1);
    this.#stats.add(counter.bytesReceived, header.payloadLength);
    if (header.ssrc !== this.#ssrc) this.#follow(header.ssrc);
    this.#push(header, bytes, kind === 'former' ? (this.#next ? 'speech' : 'other') : kind);
  }

  /** Keeps time while nothing comes; call every 20 ms or so. */
  poll(now: number): void {
    this.#now = now;
    this.#buffer.poll(now, this.#target.ms);
    this.#stats.set(counter.jitterTargetMs, this.#target.ms);
    if (!this.#running) return;
    this.#inbound.cameAt = now;
    const missing = this.#clock.missing(now, this.#inbound.position, MAX_BEHIND_MS * this.#perMs);
    const step = CLOCK_STEP_MS * this.#perMs;
    for (let left = missing; left > 0; left -= step) this.#invent(step);
  }

  /** What RTCP tells the peer of its stream; undefined before the first packet. */
  report() {
    const report = this.#statistics.report(this.#coding.unitsPerMs);
    return report && { ssrc: this.#ssrc, ...report };
  }

  get voice(): Voice {
    return this.#inbound.voice;
  }

  /** Frees what the codec holds, idempotent. */
  close(): void {
    this.voice.end();
    this.#coding.chain.close();
    this.#next?.chain.close();
  }

  #build(codec: CodecName): Coding {
    const { clockRateHz, maxPayloadBytes } = codecs[codec];
    const unitsPerMs = clockRateHz / 1000;
    const chain = createReceiveChain(codec, this.#inbound);
    return { chain, unitsPerMs, unitsPerSample: unitsPerMs / this.#perMs, maxPayloadBytes };
  }

  /** What is held is of the codec before. */
  #change(coding: Coding): void {
    this.#buffer.restart();
    this.#coding.chain.close();
    this.#coding = coding;
    this.#next = undefined;
    this.#statistics.restart();
    this.#resync();
  }

  #push(header: RtpHeader, bytes: Uint8Array, kind: PacketKind): void {
    const arrival = this.#buffer.push(header, bytes, kind, this.#now);
    if (arrival === 'duplicate') this.#stats.add(counter.packetsDuplicated, 1);
    else if (arrival === 'late' || arrival === 'stray') this.#stats.add(counter.packetsLate, 1);
    else if (arrival === 'restarted') this.#statistics.restart();
    if (arrival === 'stray') return;
    this.#statistics.count(header.sequence);
    if (kind !== 'speech' || arrival === 'duplicate') return;
    this.#target.observe(
      this.#now,
      this.#statistics.arrived(this.#now, header.timestamp, this.#coding.unitsPerMs),
    );
    this.#buffer.poll(this.#now, this.#target.ms);
  }

  #follow(ssrc: number): void {
    this.#ssrc = ssrc;
    this.#buffer.restart();
    this.#statistics.restart();
    this.#resync();
  }

  /** The next timestamp follows the last one, whatever it is. */
  #resync(): void {
    this.#synced = false;
    this.#lost = 0;
  }

  #deliver(header: RtpHeader, bytes: Uint8Array, kind: PacketKind, lost: number, arrivedAt: number): void {
    if (!this.#running) return;
    // What it has waited for another, as long as that was worth it, is not the gateway's latency.
    this.#inbound.cameAt = Math.min(this.#now, arrivedAt + this.#target.ms);
    const { payloadOffset, payloadLength } = header;
    this.#lost += lost;
    if (kind === 'noise') {
      this.#noise.update(bytes, payloadOffset, payloadLength);
      this.#isNoise = true;
    } else if (kind === 'event') {
      this.#isEvent = true;
    } else if (kind === 'speech' && payloadLength > 0) {
      this.#speak(header, bytes);
    }
  }

  #speak({ timestamp, payloadOffset, payloadLength }: RtpHeader, bytes: Uint8Array): void {
    if (!this.#budget.has(this.#now)) {
      this.#stats.add(counter.packetsDroppedOverrun, 1);
      return;
    }
    const length = this.#coding.chain.take(bytes, payloadOffset, payloadLength);
    this.#budget.spend(length / this.#perMs);
    if (length > 0) this.#place(timestamp, length);
    else this.#stats.add(counter.packetsDroppedInvalid, 1);
  }

  /** Puts the speech that the chain has taken at its place in time: after what its timestamp asks for. */
  #place(timestamp: number, length: number): void {
    const units = this.#coding.unitsPerSample;
    const gap = this.#synced ? Math.round(((timestamp - this.#nextTimestamp) | 0) / units) : 0;
    this.#synced = true;
    this.#nextTimestamp = (timestamp + length * units) | 0;
    const ahead = this.#clock.ahead(this.#now, this.#inbound.position);
    this.#spare.observe(ahead);
    if (gap > 0) this.#fillGap(gap, length, ahead);
    this.#invented = 0;
    this.#lost = 0;
    this.#isNoise = false;
    this.#isEvent = false;
    if (this.#spare.holds(this.#coding.chain)) this.#coding.chain.drop();
    else this.#coding.chain.write();
    this.#clock.follow(this.#now, this.#inbound.position, length);
  }

  /**
   * A gap in timestamps is time that has passed, as far as the clock agrees. Beyond that it is a jump, or there is a
   * surplus to work off. (Timestamps that go back are a new timeline of the peer's: speech just goes on.) What packets
   * are missing for is made up, the rest is a pause.
   */
  #fillGap(gap: number, packet: number, ahead: number): void {
    const most = this.#isPause() ? 0 : MAX_CONCEALED_MS * this.#perMs;
    const lost = Math.min(this.#lostOf(gap, packet), most);
    if (lost > 0) this.#stats.add(counter.concealedMs, lost / this.#perMs);
    const unfilled = gap - this.#invented;
    if (unfilled <= 0) return;
    const surplus = ahead + unfilled > DRAIN_ABOVE_MS * this.#perMs;
    const due = surplus ? Math.max(0, Math.floor(-ahead)) : unfilled;
    const concealed = Math.min(due, lost);
    if (due > concealed) this.#pause(due - concealed);
    if (concealed > 0) this.#coding.chain.conceal(concealed);
  }

  /**
   * What the missing packets held may differ in length from the one that follows. A gap that they can have filled is
   * theirs; in a longer one there was a pause, and they are taken to have been like that one.
   */
  #lostOf(gap: number, packet: number): number {
    return gap <= this.#lost * MAX_PACKET_MS * this.#perMs ? gap : Math.min(gap, this.#lost * packet);
  }

  /** Nothing has come for too long. */
  #invent(length: number): void {
    const isSpeech = !this.#isPause() && this.#invented < MAX_CLOCK_SPEECH_MS * this.#perMs;
    if (isSpeech) this.#coding.chain.conceal(length);
    else this.#pause(length);
    this.#invented += length;
  }

  /** What is missing after the last packet is no speech. */
  #isPause(): boolean {
    return this.#isNoise || this.#isEvent;
  }

  #pause(length: number): void {
    this.#coding.chain.pause(length, this.#isNoise ? this.#noise : undefined);
  }
}
