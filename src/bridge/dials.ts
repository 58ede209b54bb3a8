import { randomUUID } from 'node:crypto';
import { Refusal } from '../errors.ts';
import type { Role } from '../roles.ts';
import type { Session } from '../sessions/session.ts';
import type { Bridges } from './bridges.ts';
import type { Dialer, OutboundCall } from './dialer.ts';
import type { Leg } from './leg.ts';

/** A call that somebody wants placed. */
export interface DialWish {
  session: Session;
  /** Absent: the first that is free. */
  role: Role | undefined;
  call: OutboundCall;
  transport: string;
  concurrencyLimit: number;
}

export interface Dial {
  leg: Leg;
  /** Resolves when the leg is up or has ended. */
  settled: Promise<void>;
}

export interface DialsOptions {
  bridges: Bridges;
  dialer: Dialer;
  now: () => number;
  /** Calls that are being placed at once on this node. */
  most: number;
  /** Whether this node has no room for new sessions; those that are up may call somebody in all the same. */
  overloaded: () => boolean;
}

/** Calls that are being placed on this node. */
export class Dials {
  readonly #options: DialsOptions;
  #running = 0;

  constructor(options: DialsOptions) {
    this.#options = options;
  }

  /**
   * Holds the role and the place, has it written down, and only then calls.
   * @param write keeps what must not be lost; the leg has its id and facts
   * @throws Refusal `draining`, `overloaded`, `role_taken`, `concurrency_limit`; what `write` throws
   */
  async begin(wish: DialWish, write: (leg: Leg) => Promise<void>): Promise<Dial> {
    const { bridges, dialer, most, overloaded } = this.#options;
    if (this.#running >= most) throw new Refusal('overloaded', `${most} calls are being placed`);
    if (!bridges.isLive(wish.session.id) && overloaded()) throw new Refusal('overloaded');
    const leg = this.#reserve(wish);
    this.#running++;
    const over = () => void this.#running--;
    try {
      await leg.announce(write);
    } catch (error) {
      over();
      throw error;
    }
    return { leg, settled: dialer.place(leg, wish.call).finally(over) };
  }

  #reserve({ session, role, call, transport, concurrencyLimit }: DialWish): Leg {
    const { bridges, now } = this.#options;
    const facts = {
      provider: 'sip' as const,
      direction: 'outbound' as const,
      callId: randomUUID(),
      carrierCallId: null,
      from: call.from.uri,
      to: call.uri,
      sourceAddress: '',
      transport,
      startedAt: now(),
      headers: call.headers,
    };
    return bridges.reserve({ session, role, facts, concurrencyLimit });
  }
}
