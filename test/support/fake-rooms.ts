import { MULAW_8K } from '../../src/audio/format.ts';
import { AudioRing } from '../../src/audio/ring.ts';
import type { KeyReports } from '../../src/bridge/key-reports.ts';
import type { TranscriptSink } from '../../src/bridge/transcript-feed.ts';
import type { Hearing } from '../../src/media/hearing.ts';
import type { MediaPool, MediaSettings, MediaStats, RingPort, RtpPort } from '../../src/media/media-port.ts';
import type { PipelineLink, PipelineLinks } from '../../src/pipeline/pipeline-link.ts';
import { noLatency } from '../../src/telemetry/latency-histogram.ts';

/** What only a whole call tells. */
export const someCallDetails = {
  ...{ user_agent: 'TestPhone/1.0', ringing_at: null, acknowledged_at: 1_800_000_000_200 },
  ...{ first_audio_in_at: 1_800_000_000_220, first_audio_out_at: 1_800_000_000_210, cause: 16 },
  ...{ holds: 1, held_seconds: 2.5, concealed_ms: 40, rtp_source: '192.0.2.1:11000' },
  ...{ link_reconnects: 1, link_resent_ms: 300, link_lost_ms: 20, link_dropped_ms: 10, link_trimmed_ms: 5 },
  untranslated_seconds: 1.25,
};

export const noStats: MediaStats = {
  ...{ packetsReceived: 0, packetsSent: 0, packetsLost: 0, packetsLate: 0, packetsDuplicated: 0 },
  ...{ packetsDroppedInvalid: 0, packetsDroppedBySource: 0, packetsDroppedOverrun: 0, rtcpReceived: 0 },
  ...{
    bytesReceived: 0,
    bytesSent: 0,
    jitterMs: 0,
    jitterTargetMs: 60,
    concealedMs: 0,
    silencePacketsSent: 0,
    silentForMs: 0,
    socketErrors: 0,
    digitsDropped: 0,
  },
  ...{ rtcpSent: 0, roundTripMs: -1, firstSentAt: -1, peerPacketsLost: 0, peerJitterMs: 0 },
  ...{ directDroppedMs: 0, packetsDroppedUnread: 0, packetsDroppedUnauthentic: 0, packetsDroppedReplayed: 0 },
  source: '',
  ...{ toPipeline: noLatency, fromPipeline: noLatency, direct: noLatency },
};

/** Nobody is told of key presses. */
export const noKeyReports: KeyReports = {
  pressed: () => undefined,
  dropped: () => undefined,
  sent: () => undefined,
  notSent: () => undefined,
};

/** Hears what is said, and keeps none of it. */
export const noTranscripts: TranscriptSink = { heard: () => undefined, over: async () => undefined };

/** What a bridge is told besides its rooms: a pipeline that is lost ends its calls. */
export const plainBridge = {
  onFailure: 'hangup' as const,
  mixOriginalDb: null,
  degraded: () => undefined,
  outageOver: () => undefined,
  onWords: () => undefined,
};

/** For media that only SIP legs ask of. */
export const noStreams: Pick<MediaPool, 'openRing'> = {
  openRing: () => Promise.reject(new Error('there are no streams here')),
};

/** Awaited before a port or a link is given; rejects to refuse it. */
export type Gate = () => Promise<void>;
const atOnce: Gate = async () => undefined;

/** Media without sockets: counts what is open, and keeps what legs were configured with. */
export class FakeMedia implements MediaPool {
  /** How many are open. */
  openNow = 0;
  readonly configured: MediaSettings[] = [];
  /** What ports were told to hear. */
  readonly heard: Hearing[] = [];
  /** What streams have said, and when they were put on hold and taken off. */
  readonly said: Uint8Array[] = [];
  readonly holds: boolean[] = [];
  /** Ports that may send. */
  started = 0;
  readonly #gate: Gate;

  constructor(gate = atOnce) {
    this.#gate = gate;
  }

  async open(): Promise<RtpPort> {
    const port = await this.#open();
    return {
      ...port,
      address: '127.0.0.1',
      rtpPort: 20_000,
      configure: (settings) => void this.configured.push(settings),
      press: async (digits) => digits.length,
    };
  }

  async openRing(): Promise<RingPort> {
    const port = await this.#open();
    return {
      ...port,
      heard: AudioRing.create(8192),
      say: (audio) => void this.said.push(audio),
      hold: (held) => void this.holds.push(held),
    };
  }

  async #open() {
    await this.#gate();
    this.openNow++;
    let closed = false;
    return {
      inbound: AudioRing.create(8192),
      outbound: AudioRing.create(8192),
      hear: (hearing: Hearing) => void this.heard.push(hearing),
      startSending: () => void this.started++,
      stats: () => noStats,
      close: async () => {
        if (!closed) this.openNow--;
        closed = true;
        return noStats;
      },
    };
  }

  readonly deaths = 0;

  workers() {
    return [];
  }

  usage() {
    return { used: this.openNow, total: 100, forNewSessions: 100 };
  }

  async close(): Promise<void> {}
}

/** Pipeline links that connect to nothing. */
export class FakeLinks implements PipelineLinks {
  /** How many are open. */
  openNow = 0;
  readonly #gate: Gate;

  constructor(gate = atOnce) {
    this.#gate = gate;
  }

  inputFormat() {
    return MULAW_8K;
  }

  create(): PipelineLink {
    this.openNow++;
    let closed = false;
    return {
      open: (signal: AbortSignal) =>
        Promise.race([
          this.#gate(),
          new Promise<void>((_resolve, reject) =>
            signal.addEventListener('abort', () => reject(signal.reason)),
          ),
        ]),
      attach: () => undefined,
      startPlaying: () => undefined,
      detach: () => undefined,
      setHeld: () => undefined,
      keyPressed: () => undefined,
      stats: () => ({}),
      close: async () => {
        if (!closed) this.openNow--;
        closed = true;
      },
    } as unknown as PipelineLink;
  }

  async close(): Promise<void> {}
}
