import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import { StoreUnavailable } from '../errors.ts';
import type { Sealer } from '../sealing.ts';
import type { Store } from '../store/store.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { busyWith } from './capacity.ts';
import { type Claim, claimDue, LEASE_MS, releaseClaims } from './claims.ts';
import { type Attempt, type Outcome, recordAttempt } from './outcome.ts';
import { sweepOldEvents } from './retention.ts';
import type { Answer, Message, Sender } from './sender.ts';

export interface DelivererOptions {
  store: Store;
  sender: Sender;
  sealer: Sealer;
  clock: Clock;
  log: Log;
  metrics: Pick<Metrics, 'webhook_attempts_total'>;
  /** How often it looks for what is due, ms; 0 = only when woken. */
  pollMs?: number;
  /** Draws the jitter of the retries; `Math.random`. */
  random?: () => number;
}

const POLL_MS = 1000;
/** Events that come together are looked for together. */
const GATHER_MS = 5;
const SWEEP_MS = 60_000;
/** When something is missing here, a delivery is tried again, or its outcome is written down again, after so long. */
const AGAIN_MS = 1000;
/** A stop lets running attempts end for so long. */
const GRACE_MS = 2000;

interface Running {
  claim: Claim;
  controller: AbortController;
  done: Promise<void>;
}

/**
 * Brings events to their endpoints: at least once, in order per endpoint and session (contract §8, decisions §8).
 * Several processes may do so on one store.
 */
export class Deliverer {
  readonly #options: DelivererOptions;
  readonly #running = new Map<string, Running>();
  readonly #timers: NodeJS.Timeout[] = [];
  #claiming: Promise<void> | undefined;
  #again = false;
  #closed = false;

  constructor(options: DelivererOptions) {
    this.#options = options;
    const { pollMs = POLL_MS } = options;
    if (pollMs === 0) return;
    this.#timers.push(setInterval(() => this.wake(), pollMs).unref());
    this.#timers.push(setInterval(() => this.#sweep(), SWEEP_MS).unref());
  }

  /** There may be something to deliver. */
  wake(): void {
    this.#again = true;
    if (this.#closed) return;
    this.#claiming ??= pause(GATHER_MS)
      .then(() => this.#claim())
      .finally(() => {
        this.#claiming = undefined;
      });
  }

  /** Resolves when nothing is due and nothing is on its way. */
  async settled(): Promise<void> {
    while (this.#claiming !== undefined || this.#running.size > 0) {
      await this.#claiming;
      await Promise.all([...this.#running.values()].map(({ done }) => done));
    }
  }

  /** Attempts that do not end in time are given back to the store, for the next start or another process. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers) clearInterval(timer);
    await this.#claiming;
    const { store, clock, sender } = this.#options;
    await this.#runningEnded(GRACE_MS);
    const left = [...this.#running.values()];
    for (const { controller } of left) controller.abort();
    await Promise.all(left.map(({ done }) => done));
    await sender.close();
    await releaseClaims(
      store,
      left.map(({ claim }) => claim),
      clock.now(),
    );
  }

  async #runningEnded(withinMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, withinMs);
    });
    await Promise.race([late, Promise.all([...this.#running.values()].map(({ done }) => done))]);
    clearTimeout(timer);
  }

  async #claim(): Promise<void> {
    const { store, clock, log } = this.#options;
    try {
      while (this.#again && !this.#closed) {
        this.#again = false;
        const busy = busyWith([...this.#running.values()].map(({ claim }) => claim));
        if (busy.free <= 0) return;
        const { claims, more } = await claimDue(store, busy, clock.now());
        for (const claim of claims) this.#start(claim);
        this.#again ||= more;
      }
    } catch (error) {
      // The next poll tries again. That the store is lost is logged where it is watched, and not every second here.
      if (error instanceof StoreUnavailable) return;
      log.error({ err: error }, 'due webhooks could not be claimed');
    }
  }

  #start(claim: Claim): void {
    const controller = new AbortController();
    const done = this.#attempt(claim, controller.signal)
      .catch((error: unknown) => {
        // Its lease runs out, and then it is sent again.
        this.#options.log.error({ err: error, delivery: claim.id }, 'a webhook attempt could not be kept');
      })
      .finally(() => {
        this.#running.delete(claim.id);
        this.wake();
      });
    this.#running.set(claim.id, { claim, controller, done });
  }

  async #attempt(claim: Claim, signal: AbortSignal): Promise<void> {
    const { store, clock, metrics, log, random = Math.random } = this.#options;
    const [startedAt, started] = [clock.now(), clock.monotonic()];
    const { ours, ...answer } = await this.#send(claim, signal);
    if (signal.aborted) return;
    if (ours) {
      log.warn({ delivery: claim.id, ...answer }, 'a webhook could not be sent from here now');
      return releaseClaims(store, [claim], clock.now() + AGAIN_MS);
    }
    const times = { startedAt, endedAt: clock.now(), durationMs: clock.monotonic() - started };
    const outcome = await this.#keep(claim, { answer, ...times }, random());
    if (outcome !== 'gone') metrics.webhook_attempts_total.inc({ outcome });
    if (outcome === 'failed') {
      const { id, endpointId, event } = claim;
      log.warn({ delivery: id, endpoint: endpointId, event: event.id, ...answer }, 'a webhook was given up');
    }
  }

  /** Waits for a store that is lost as long as the claim is good: then nobody hears the event a second time. */
  async #keep(claim: Claim, attempt: Attempt, chance: number): Promise<Outcome> {
    const { store, clock } = this.#options;
    const until = clock.monotonic() - attempt.durationMs + LEASE_MS;
    for (;;) {
      try {
        return await recordAttempt(store, claim, attempt, chance);
      } catch (error) {
        const again = error instanceof StoreUnavailable && !this.#closed && clock.monotonic() < until;
        if (!again) throw error;
        await pause(AGAIN_MS);
      }
    }
  }

  async #send(claim: Claim, signal: AbortSignal): Promise<Answer> {
    const { sender, sealer } = this.#options;
    let secret: string;
    try {
      secret = sealer.open(claim.secret, claim.endpointId);
    } catch {
      return { status: null, error: 'the signing secret cannot be read; rotate it' };
    }
    return sender.send(messageOf(claim, secret), signal);
  }

  #sweep(): void {
    const { store, clock, log } = this.#options;
    sweepOldEvents(store, clock.now()).catch((error: unknown) =>
      log.error({ err: error }, 'old webhook events could not be deleted'),
    );
  }
}

/** The envelope (contract §8), the same in every attempt. */
function messageOf({ id, url, attempts, event }: Claim, secret: string): Message {
  const envelope = {
    id: event.id,
    type: event.type,
    api_version: 'v1',
    created_at: new Date(event.createdAt).toISOString(),
    data: JSON.parse(event.data),
  };
  return {
    deliveryId: id,
    url,
    secret,
    body: JSON.stringify(envelope),
    retryCount: attempts,
    originalAt: event.createdAt,
  };
}
