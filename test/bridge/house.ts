import { MULAW_8K } from '../../src/audio/format.ts';
import { AudioRing } from '../../src/audio/ring.ts';
import { Bridges, type Reservation } from '../../src/bridge/bridges.ts';
import type { Leg } from '../../src/bridge/leg.ts';
import type { CallFacts, LegCarrier } from '../../src/bridge/leg-carrier.ts';
import type { EndReason, Refusal } from '../../src/errors.ts';
import type { Hearing } from '../../src/media/hearing.ts';
import type { MediaEvent, MediaSettings, MediaStats, RingPort, RtpPort } from '../../src/media/media-port.ts';
import type { LinkEvent, PipelineLink } from '../../src/pipeline/pipeline-link.ts';
import type { Session } from '../../src/sessions/session.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { noKeyReports } from '../support/fake-rooms.ts';

export const sessionOf = (id: string, mode = 'bidirectional_translation') =>
  ({ id: `sess_${id}`, organizationId: 'acme', mode }) as unknown as Session;

/** Bridges over media and pipeline that do nothing but tell what is asked of them. */
export class House {
  now = 0;
  silentForMs = 0;
  /** What the closing of a link waits for. */
  closesWhen: Promise<void> | undefined;
  /** What the keeping of a record waits for. */
  keepsWhen: Promise<void> | undefined;
  /** What the counters of a port show besides. */
  counted: Partial<MediaStats> = {};
  readonly warnings: string[] = [];
  readonly completed: { id: string; at: number }[] = [];
  readonly reasons: EndReason[] = [];
  readonly links: { open: number; events: ((event: LinkEvent) => void)[] } = { open: 0, events: [] };
  readonly media: ((event: MediaEvent) => void)[] = [];
  readonly started: string[] = [];
  readonly heard: string[] = [];
  readonly bridges: Bridges;

  /** Of the next links. */
  opens: Promise<void> = Promise.resolve();
  readonly outages: string[] = [];
  /** What the ports were told to hear last, in the order in which they were opened. */
  readonly hearings: Hearing[] = [];
  /** Of streams. */
  readonly holds: boolean[] = [];

  constructor(limits: { maxCalls?: number; onFailure?: 'passthrough' | 'hangup' } = {}) {
    this.bridges = new Bridges({
      media: {
        open: async ({ onEvent }) => {
          this.media.push(onEvent);
          return this.#port();
        },
        openRing: async ({ onEvent }) => {
          this.media.push(onEvent);
          return this.#port();
        },
        usage: () => ({ used: 0, total: 0, forNewSessions: 0 }),
        workers: () => [],
        deaths: 0,
        close: async () => undefined,
      },
      links: {
        inputFormat: () => MULAW_8K,
        create: ({ onEvent }) => {
          this.links.events.push(onEvent);
          return this.#link();
        },
        close: async () => undefined,
      },
      log: Object.assign(createLog('silent'), {
        warn: (_details: object, words: string) => void this.warnings.push(words),
      }),
      now: () => this.now,
      mediaTimeoutSeconds: 60,
      rejoinSeconds: 30,
      waitingSound: { kind: 'silence' },
      mixOriginalDb: null,
      onFailure: limits.onFailure ?? 'passthrough',
      degraded: (_session, { reason }) => this.outages.push(reason),
      outageOver: (_session, { since }, at, recovered) =>
        this.outages.push(`${recovered ?? 'over'} after ${at - since}`),
      maxCalls: limits.maxCalls ?? 100,
      hasEnded: async () => false,
      sessionStarted: ({ id }) => this.started.push(id),
      sessionCompleted: ({ id }, at) => {
        this.completed.push({ id, at });
        this.heard.push('completed');
      },
      legAnswered: () => undefined,
      keepRecord: async (_leg, record) => {
        await this.keepsWhen;
        this.reasons.push(record.reason);
        this.heard.push('record');
      },
      linkClosed: () => undefined,
      keys: noKeyReports,
      legRinging: () => undefined,
      written: async () => undefined,
      transcripts: {
        heard: (id, { text }) => void this.heard.push(`${id}: ${text}`),
        over: async (id) => void this.heard.push(`over ${id}`),
      },
    });
  }

  #port(): RtpPort & RingPort {
    const index = this.media.length - 1;
    return {
      hear: (hearing: Hearing) => {
        this.hearings[index] = hearing;
      },
      address: '127.0.0.1',
      rtpPort: 20_000,
      inbound: AudioRing.create(1024),
      outbound: AudioRing.create(1024),
      configure: () => undefined,
      startSending: () => undefined,
      stats: () => ({ silentForMs: this.silentForMs, ...this.counted }),
      hold: (held: boolean) => void this.holds.push(held),
      close: async () => ({}),
    } as unknown as RtpPort & RingPort;
  }

  #link(): PipelineLink {
    this.links.open++;
    return {
      open: (signal: AbortSignal) => {
        const given = new Promise<void>((_, reject) => signal.addEventListener('abort', reject));
        return Promise.race([this.opens, given]);
      },
      attach: () => undefined,
      startPlaying: () => undefined,
      detach: () => undefined,
      setHeld: () => undefined,
      keyPressed: () => undefined,
      stats: () => ({}),
      close: async () => {
        this.links.open--;
        await this.closesWhen;
      },
    } as unknown as PipelineLink;
  }

  reserve(session: Session, more: Partial<Reservation & Pick<CallFacts, 'from' | 'provider'>> = {}): Leg {
    const { from = 'sip:pbx@example.com', provider = 'sip', ...rest } = more;
    const facts = {
      provider,
      direction: 'inbound' as const,
      callId: 'c',
      carrierCallId: null,
      from,
      to: 't',
      sourceAddress: '192.0.2.1',
      transport: 'udp',
      startedAt: 0,
      headers: {},
    };
    return this.bridges.reserve({ session, role: undefined, facts, concurrencyLimit: 100, ...rest });
  }

  /** A stream that is up: that of a client, unless told otherwise. */
  async stream(
    session: Session,
    more: Parameters<House['reserve']>[1] = {},
    carrier: Partial<LegCarrier> = {},
  ): Promise<Leg & { byes: EndReason[] }> {
    const leg = this.reserve(session, { provider: 'webrtc', from: '', ...more });
    await leg.startStream({ codec: 'PCMU' });
    const byes: EndReason[] = [];
    leg.answered({ hangUp: async (reason) => void byes.push(reason), ...carrier });
    leg.acknowledged();
    return Object.assign(leg, { byes });
  }

  /** A call that is up. */
  async call(
    session: Session,
    more: Parameters<House['reserve']>[1] = {},
  ): Promise<Leg & { byes: EndReason[] }> {
    const leg = this.reserve(session, more);
    await leg.start({ family: 4, onWaiting: () => undefined });
    leg.configure({
      codec: 'PCMU',
      held: false,
      telephoneEvents: [] as MediaSettings['telephoneEvents'],
    } as MediaSettings);
    const byes: EndReason[] = [];
    leg.answered({ hangUp: async (reason) => void byes.push(reason), press: async () => true });
    return Object.assign(leg, { byes });
  }
}

/** Of the refusal that it throws. */
export const codeOf = (attempt: () => unknown): string => {
  try {
    attempt();
  } catch (error) {
    return (error as Refusal).code;
  }
  return 'taken';
};
