import { randomBytes } from 'node:crypto';
import type { RemoteInfo } from 'node:dgram';
import { AudioRing } from '../audio/ring.ts';
import { DtmfReceiver } from './dtmf-receiver.ts';
import type { HearingOf } from './hearing.ts';
import { isUnspecified, sendable } from './ip-address.ts';
import type { PacketKind } from './jitter-buffer.ts';
import { LegRtcp } from './leg-rtcp.ts';
import type { MediaSettings } from './media-port.ts';
import { MediaTimeout } from './media-timeout.ts';
import { SLOT_MS } from './pacer.ts';
import { ReceiveStream } from './receive-stream.ts';
import { emptyRtpHeader, isRtcp, isValidRtcp, readRtpHeader } from './rtp-header.ts';
import { SendStream } from './send-stream.ts';
import { SourceLock } from './source-lock.ts';
import { REPLAYED } from './srtp-receiver.ts';
import { SrtpSession } from './srtp-session.ts';
import { counter, StatsBlock } from './stats-block.ts';
import { type OnDatagram, UdpPair, type UdpSockets } from './udp-pair.ts';
import type { Voice } from './voice.ts';
import type { FromWorker, RtpLegSetup } from './worker-protocol.ts';

/**
 * One leg in a media worker: its two sockets, and the pure cores that its packets pass through.
 * Receiving: SRTP, header, payload type, source lock, stream, inbound ring. Sending: outbound ring, stream, SRTP, socket.
 */

/** The socket is connected to the locked source until that has been silent for so long: it may have moved. */
const CONNECTED_SILENCE_MS = 1000;

/** Slots between two packets: 4, 2 or 1, that is 20, 10 or 5 ms. */
function slotsPerPacket(ptimeMs: number): number {
  if (ptimeMs >= 20) return 20 / SLOT_MS;
  return ptimeMs >= 10 ? 10 / SLOT_MS : 1;
}

/** @returns 0 where it is not that of key presses */
function eventClockRate(payloadType: number, { telephoneEvents }: MediaSettings): number {
  for (const event of telephoneEvents) if (event.payloadType === payloadType) return event.clockRate;
  return 0;
}

/** @returns undefined for a payload type that was not negotiated */
function kindOf(
  payloadType: number,
  settings: MediaSettings,
  former: number,
): PacketKind | 'former' | undefined {
  if (payloadType === settings.payloadType) return 'speech';
  if (payloadType === settings.comfortNoisePayloadType) return 'noise';
  if (eventClockRate(payloadType, settings) > 0) return 'event';
  return payloadType === former ? 'former' : undefined;
}

/**
 * Where a stream of ours begins (RFC 3550 §5.1): anywhere in the lower half, so that a receiver that misses the first
 * packets does not miss SRTP's first rollover (RFC 3711 §3.3.1).
 */
const newSequence = (): number => randomBytes(2).readUInt16BE(0) & 0x7fff;
const newWord = (): number => randomBytes(4).readUInt32BE(0);

export class RtpLeg {
  readonly kind = 'rtp';
  readonly id: number;
  readonly #emit: (message: FromWorker) => void;
  readonly #stats: StatsBlock;
  readonly #lock: SourceLock;
  readonly #outbound: AudioRing;
  readonly #receiver: ReceiveStream;
  readonly #keys: DtmfReceiver;
  readonly #sender: SendStream;
  readonly #timeout: MediaTimeout;
  readonly #sockets: UdpPair;
  readonly #rtcp: LegRtcp;
  readonly #srtp = new SrtpSession();
  readonly #header = emptyRtpHeader();
  #settings: MediaSettings | undefined;
  /** Payload type of the codec before the last change; packets of it may still be on their way. */
  #formerType = -1;
  #period = slotsPerPacket(20);
  #started = false;
  #failed = false;
  #hasSent = false;
  /** Where RTP goes; port 0 = nowhere. */
  #targetAddress = '';
  #targetPort = 0;
  #lastPacketAt = -1;
  #polledAt = -1;

  /** @throws the system's error when the ports cannot be bound */
  constructor(setup: RtpLegSetup, sockets: UdpSockets, emit: (message: FromWorker) => void) {
    this.id = setup.leg;
    this.#emit = emit;
    this.#stats = new StatsBlock(setup.stats);
    this.#lock = new SourceLock(setup.callerAddress);
    this.#receiver = new ReceiveStream(new AudioRing(setup.inbound), setup.inboundFormat, this.#stats);
    this.#outbound = new AudioRing(setup.outbound);
    this.#keys = new DtmfReceiver(this.#stats, (digit, durationMs) =>
      emit({ type: 'digit', leg: setup.leg, digit, durationMs }),
    );
    this.#sender = new SendStream(
      this.#outbound,
      setup.outboundFormat,
      this.#stats,
      {
        timestamp: newWord(),
        sequence: newSequence(),
        newSsrc: newWord,
      },
      (count) => emit({ type: 'digits_pressed', leg: setup.leg, count }),
    );
    this.#timeout = new MediaTimeout(setup.timeoutSeconds * 1000);
    this.#sockets = new UdpPair(sockets, setup.address, setup.rtpPort, {
      onRtp: this.#guarded((datagram, from) => this.#onRtp(datagram, from)),
      onRtcp: this.#guarded((datagram, from) => this.#onRtcp(datagram, from)),
      onError: () => this.#stats.add(counter.socketErrors, 1),
    });
    this.#rtcp = new LegRtcp({
      stats: this.#stats,
      sent: () => this.#sender.sentSoFar(),
      received: () => this.#receiver.report(),
      send: (packet, port, address, muxed) => {
        const sent = this.#srtp.on ? this.#srtp.protectRtcp(packet) : packet;
        this.#sockets.sendRtcp(sent, port, address, muxed);
      },
      source: () => this.#lock.target,
      family: this.#sockets.family,
    });
  }

  /** Slots between two of its packets. */
  get period(): number {
    return this.#period;
  }

  configure(settings: MediaSettings, now: number): void {
    if (this.#failed) return;
    const before = this.#settings;
    if (before && before.codec !== settings.codec) this.#formerType = before.payloadType;
    this.#settings = settings;
    this.#period = slotsPerPacket(settings.ptimeMs);
    if (settings.calleeAddress !== undefined) this.#lock.expect(settings.calleeAddress);
    this.#lock.configure(settings.remoteAddress, settings.moved, now);
    if (settings.moved) this.#sockets.disconnect();
    this.#receiver.configure(settings.codec, settings.held, now);
    if (this.#srtp.configure(settings.srtp, now)) this.#sender.begin(newSequence());
    this.#sender.configure(settings.codec, settings.payloadType, this.#period * SLOT_MS, settings.opus);
    this.#sender.configureKeys(settings.telephoneEvents[0]);
    this.#timeout.restart(now, this.#expectsMedia());
    this.#rtcp.configure(settings);
    this.#aim();
  }

  /** What it says, for others to hear. */
  get voice(): Voice {
    return this.#receiver.voice;
  }

  hear(hearing: HearingOf<Voice>): void {
    this.#sender.hear(hearing);
  }

  startSending(now: number): void {
    this.#started = true;
    this.#sender.start();
    this.#rtcp.start(now);
    this.#timeout.restart(now, this.#expectsMedia());
  }

  /** Presses keys at the peer's end; `digits_pressed` tells how many. */
  press(digits: string, durationMs: number, gapMs: number): void {
    this.#sender.press(digits, durationMs, gapMs);
  }

  /** Called for each of its slots. @param now monotonic ms, the same for all slots of one catch-up */
  tick(slot: number, now: number): void {
    if (!this.#settings) return;
    this.#outbound.latency.countNoted(performance.now());
    if (this.#started) this.#send(slot);
    if (now === this.#polledAt) return;
    this.#polledAt = now;
    this.#receiver.poll(now);
    this.#keys.poll(now);
    this.#rtcp.poll(now);
    if (this.#lastPacketAt >= 0) this.#noteSilence(now - this.#lastPacketAt);
    if (this.#timeout.expired(now)) this.#emit({ type: 'media_timeout', leg: this.id });
  }

  /** An error of ours costs this leg, and no other leg of the worker: it falls silent and says so, once. */
  fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#settings = undefined;
    this.#emit({ type: 'failed', leg: this.id, detail: String((error as Error)?.stack ?? error) });
  }

  /** @param done called when both sockets are closed */
  close(done: () => void): void {
    if (!this.#failed) this.#rtcp.bye(performance.now());
    this.#receiver.close();
    this.#sender.close();
    this.#sockets.close(done);
  }

  #noteSilence(silentForMs: number): void {
    this.#stats.set(counter.silentForMs, silentForMs);
    if (silentForMs >= CONNECTED_SILENCE_MS) this.#sockets.disconnect();
  }

  /** A peer that holds us by its address (0.0.0.0) keeps the direction, and may be silent all the same. */
  #expectsMedia(): boolean {
    return this.#settings?.direction === 'sendrecv' && !this.#settings.held;
  }

  #send(slot: number): void {
    if (this.#targetPort === 0) {
      this.#sender.skip(slot);
      return;
    }
    const packet = this.#sender.next(slot);
    if (!packet) return;
    this.#noteFirstSent();
    const sent = this.#srtp.on ? this.#srtp.protectRtp(packet) : packet;
    this.#sockets.send(sent, this.#targetPort, this.#targetAddress);
  }

  #noteFirstSent(): void {
    if (this.#hasSent) return;
    this.#hasSent = true;
    this.#stats.set(counter.firstSentAt, Date.now());
  }

  /** What comes in ends no worker, whatever it meets. */
  #guarded(take: OnDatagram): OnDatagram {
    return (datagram, from) => {
      try {
        take(datagram, from);
      } catch (error) {
        this.fail(error);
      }
    };
  }

  #onRtp(datagram: Buffer, from: RemoteInfo): void {
    const settings = this.#settings;
    if (!settings) return;
    if (isRtcp(datagram)) {
      this.#onRtcp(datagram, from);
      return;
    }
    const now = performance.now();
    const size = this.#srtp.on ? this.#decrypt(datagram, from, now) : datagram.length;
    if (size < 0) return;
    const header = this.#header;
    const kind = readRtpHeader(datagram, header, size)
      ? kindOf(header.payloadType, settings, this.#formerType)
      : undefined;
    if (!kind) {
      this.#stats.add(counter.packetsDroppedInvalid, 1);
      return;
    }
    const verdict = this.#lock.accept(from.address, from.port, now);
    if (verdict === 'refused') {
      this.#stats.add(counter.packetsDroppedBySource, 1);
      return;
    }
    if (verdict === 'locked') this.#onLocked(from);
    // Connected, the socket would be deaf at the place where the peer is expected.
    if (this.#sockets.connectable && !this.#lock.isOpen(now)) this.#connect();
    this.#lastPacketAt = now;
    this.#timeout.alive(now);
    if (kind === 'event')
      this.#keys.packet(header, datagram, eventClockRate(header.payloadType, settings), now);
    this.#receiver.packet(header, datagram, kind, now);
  }

  /** Nothing of SRTP counts before it is authentic, its source least of all. @returns its length as RTP, or below 0 */
  #decrypt(datagram: Buffer, from: RemoteInfo, now: number): number {
    if (this.#lock.refuses(from.address, from.port, now)) {
      this.#stats.add(counter.packetsDroppedBySource, 1);
      return -1;
    }
    const size = this.#srtp.unprotectRtp(datagram, now);
    if (size < 0) this.#countBad(size);
    return size;
  }

  #countBad(result: number): void {
    const isReplay = result === REPLAYED;
    this.#stats.add(isReplay ? counter.packetsDroppedReplayed : counter.packetsDroppedUnauthentic, 1);
  }

  /** SRTCP proves whose it is; of plain RTCP the source does. */
  #onRtcp(datagram: Buffer, from: RemoteInfo): void {
    if (!this.#settings) return;
    const now = performance.now();
    if (!isValidRtcp(datagram)) {
      this.#stats.add(counter.packetsDroppedInvalid, 1);
    } else if (!this.#lock.recognizes(from.address) || !(this.#srtp.on || this.#rtcp.accepts(from, now))) {
      this.#stats.add(counter.packetsDroppedBySource, 1);
    } else {
      const size = this.#srtp.on ? this.#srtp.unprotectRtcp(datagram, now) : datagram.length;
      if (size < 0) {
        this.#countBad(size);
        return;
      }
      this.#timeout.alive(now);
      const report = size < datagram.length ? datagram.subarray(0, size) : datagram;
      if (!this.#rtcp.hear(report, from, now)) this.#stats.add(counter.packetsDroppedInvalid, 1);
    }
  }

  #onLocked(from: RemoteInfo): void {
    const address = from.family === 'IPv6' ? `[${from.address}]` : from.address;
    this.#stats.setSource(`${address}:${from.port}`);
    this.#sockets.disconnect();
    this.#aim();
    if (this.#lastPacketAt < 0) this.#emit({ type: 'first_packet', leg: this.id, at: Date.now() });
  }

  #connect(): void {
    const source = this.#lock.target;
    if (source) this.#sockets.connect(source.port, source.address);
  }

  /** Works out where to send: the locked source, else the SDP's address; nowhere on hold or when only receiving. */
  #aim(): void {
    const settings = this.#settings as MediaSettings;
    const sends = settings.direction === 'sendrecv' || settings.direction === 'sendonly';
    // A port that is none would make the socket throw, and cost every call of this worker.
    const isPort = settings.remotePort > 0 && settings.remotePort < 65_536;
    const reachable = isPort && !isUnspecified(settings.remoteAddress);
    const locked = this.#lock.target;
    this.#targetPort = sends && reachable && !settings.held ? (locked?.port ?? settings.remotePort) : 0;
    this.#targetAddress = sendable(locked?.address ?? settings.remoteAddress, this.#sockets.family);
  }
}
