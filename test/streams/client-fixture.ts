import { AudioRing } from '../../src/audio/ring.ts';
import type { Leg } from '../../src/bridge/leg.ts';
import type { CallFacts, LegCarrier } from '../../src/bridge/leg-carrier.ts';
import { ApiError, type EndReason } from '../../src/errors.ts';
import { newSessionId } from '../../src/ids.ts';
import type { Role } from '../../src/roles.ts';
import type { Session } from '../../src/sessions/session.ts';
import type { AdmittedStream } from '../../src/streams/stream-admission.ts';
import { StreamCounts } from '../../src/streams/stream-counts.ts';
import type { StreamParts } from '../../src/streams/stream-parts.ts';
import { createLog } from '../../src/telemetry/log.ts';

export const sessionId = newSessionId();
export const facts: CallFacts = {
  ...{ provider: 'webrtc', direction: 'inbound', callId: null, carrierCallId: null, from: '', to: '' },
  ...{ sourceAddress: '192.0.2.1', transport: 'ws', startedAt: 0, headers: {} },
};
const session = { id: sessionId, organizationId: 'acme', mode: 'bidirectional_translation' } as Session;
export const admitted: AdmittedStream = { session, concurrencyLimit: 7 };

/** A leg of no bridge: it is up when a test says so. */
export class FakeLeg {
  readonly role: Role;
  readonly facts: CallFacts;
  readonly heard = AudioRing.create(8192);
  readonly said: Buffer[] = [];
  readonly pressed: string[] = [];
  readonly ends: (EndReason | 'released')[] = [];
  carrier: LegCarrier | undefined;
  readonly #open = Promise.withResolvers<void>();

  constructor(role: Role, facts: CallFacts) {
    this.role = role;
    this.facts = facts;
  }

  /** The set-up is done, or comes to nothing. */
  async isSetUp(error?: Error): Promise<void> {
    if (error) this.#open.reject(error);
    else this.#open.resolve();
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** The party hears this. */
  hear(ms: number): void {
    this.heard.write(Buffer.alloc(ms * 8, 1));
  }

  async startStream() {
    await this.#open.promise;
    return { heard: this.heard, say: (audio: Buffer) => void this.said.push(Buffer.from(audio)) };
  }

  answered(carrier: LegCarrier): void {
    this.carrier = carrier;
  }

  acknowledged(): void {}

  keyPressed({ digit }: { digit: string }): void {
    this.pressed.push(digit);
  }

  end(reason: EndReason): void {
    this.ends.push(reason);
  }

  release(): void {
    if (this.ends.length === 0) this.ends.push('released');
  }
}

/** The rest of the gateway, as far as clients see it. */
export class FakeHouse {
  readonly legs: FakeLeg[] = [];
  readonly counts = new StreamCounts();
  readonly refused: string[] = [];
  ended = 0;
  now = 0;
  /** Thrown by the next reservation. */
  taken: Error | undefined;
  readonly parts: StreamParts = {
    admit: async (_id, token) => {
      if (token !== 'good') throw new ApiError('invalid_token');
      return admitted;
    },
    reserve: (_admitted, role, of) => this.reserve(role, of),
    endSession: async () => void this.ended++,
    refused: (error) => void this.refused.push((error as ApiError).code),
    counts: this.counts,
    clock: { now: () => this.now, monotonic: () => this.now },
    log: createLog('silent'),
  };

  reserve(role: Role | undefined, of: CallFacts = facts): Leg {
    if (this.taken) throw this.taken;
    const leg = new FakeLeg(role ?? 'customer', of);
    this.legs.push(leg);
    return leg as unknown as Leg;
  }
}

export const json = (message: object | string): Buffer =>
  Buffer.from(typeof message === 'string' ? message : JSON.stringify(message));
export const turns = () => new Promise((resolve) => setImmediate(resolve));
