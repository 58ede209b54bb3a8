import { isBuiltin } from 'node:module';
import { Worker } from 'node:worker_threads';
import type { LegPort } from './leg-port.ts';
import type { MediaEvent, MediaWorkerStats } from './media-port.ts';
import { OpenFiles } from './open-files.ts';
import { RtpLegPort } from './rtp-leg-port.ts';
import type { SocketsKind } from './udp-pair.ts';
import { WorkerClock } from './worker-clock.ts';
import type { FromWorker, RingLegSetup, RtpLegSetup, ToWorker, WorkerData } from './worker-protocol.ts';

/** How a try to open a leg in a worker ended; `code` is the system's, or `WORKER_LOST`. */
export type OpenResult = { ok: true } | { ok: false; code: string; detail: string };

/** Many times what thousands of legs need. A thread without a limit of its own takes the process with it at the end. */
const MAX_HEAP_MB = 512;
/** Packets make no garbage; without a bound V8 lets what little there is pile up to 96 MB before it looks. */
const MAX_YOUNG_MB = 12;

/** A worker does not follow the process's options by itself. It knows that `node:ffi` is new, and what to do without it. */
const WORKER_OPTIONS = isBuiltin('node:ffi')
  ? ['--disable-warning=ExperimentalWarning']
  : ['--no-experimental-ffi'];

export interface WorkerHostEvents {
  /** The leg is over: its ports, if it had any, are free. */
  onClosed: (leg: LegPort) => void;
  /** The worker ended though nobody asked it to, with so many legs in it. */
  onLost: (host: WorkerHost, legs: number, reason: Error | undefined) => void;
  /** An error of ours in one leg's packet code, with its stack. */
  onLegFailed: (leg: LegPort, detail: string) => void;
  /** A leg was to hear one that is in another worker. */
  onUnheard: (leg: LegPort) => void;
  /** A handler of the leg's owner threw. */
  onHandlerError: (error: unknown) => void;
}

/** The main thread's end of one media worker: starts it, moves messages, knows which legs live there. */
export class WorkerHost {
  readonly name: string;
  readonly startedAt = performance.now();
  readonly #worker: Worker;
  readonly #clock = new WorkerClock();
  readonly #files = new OpenFiles();
  readonly #events: WorkerHostEvents;
  readonly #legs = new Map<number, LegPort>();
  readonly #opening = new Map<number, (result: OpenResult) => void>();
  readonly #ready = Promise.withResolvers<SocketsKind>();
  #terminating = false;
  #failure: Error | undefined;

  constructor(name: string, sockets: SocketsKind | undefined, events: WorkerHostEvents) {
    this.name = name;
    this.#events = events;
    this.#worker = new Worker(new URL('./media-worker.ts', import.meta.url), {
      name,
      execArgv: WORKER_OPTIONS,
      workerData: { clock: this.#clock.buffer, sockets, files: this.#files.buffer } satisfies WorkerData,
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB, maxYoungGenerationSizeMb: MAX_YOUNG_MB },
    });
    this.#worker.on('message', (message: FromWorker) => this.#onMessage(message));
    this.#worker.on('error', (error) => {
      this.#failure = error as Error;
    });
    this.#worker.on('exit', () => this.#onExit());
    // Who does not ask hears of a failed start by `onLost`.
    this.#ready.promise.catch(() => undefined);
  }

  /** Resolves when the thread runs, with the sockets that it has. @throws the thread's error when it ended before */
  get ready(): Promise<SocketsKind> {
    return this.#ready.promise;
  }

  /** Legs that are open or being opened. */
  get load(): number {
    return this.#legs.size;
  }

  stats(): MediaWorkerStats {
    const { active } = this.#worker.performance.eventLoopUtilization();
    const { name, startedAt, load: legs } = this;
    return { name, startedAt, legs, busyMs: active, ...this.#clock.read() };
  }

  post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  /** @returns when the leg is there and its ports are bound, or could not be */
  open(leg: LegPort, setup: RtpLegSetup | RingLegSetup): Promise<OpenResult> {
    this.#legs.set(leg.id, leg);
    return new Promise((resolve) => {
      this.#opening.set(leg.id, resolve);
      this.post({ type: 'open', setup });
    });
  }

  /** Ends the thread, and with it every socket in it. */
  async terminate(): Promise<void> {
    this.#terminating = true;
    await this.#worker.terminate();
  }

  #onMessage(message: FromWorker): void {
    if (message.type === 'ready') {
      this.#ready.resolve(message.sockets);
      return;
    }
    const leg = this.#legs.get(message.leg);
    if (!leg) return;
    switch (message.type) {
      case 'opened':
        this.#opened(leg, { ok: true });
        break;
      case 'open_failed':
        this.#opened(leg, { ok: false, code: message.code, detail: message.detail });
        break;
      case 'closed':
        this.#legs.delete(leg.id);
        this.#events.onClosed(leg);
        leg.finish();
        break;
      case 'first_packet':
        this.#report(leg, { type: 'first_packet', at: message.at });
        break;
      case 'digit':
        this.#report(leg, { type: 'digit', digit: message.digit, durationMs: message.durationMs });
        break;
      case 'digits_pressed':
        if (leg instanceof RtpLegPort) leg.pressed(message.count);
        break;
      case 'media_timeout':
        this.#report(leg, { type: 'media_timeout' });
        break;
      case 'unheard':
        this.#events.onUnheard(leg);
        break;
      case 'failed':
        this.#events.onLegFailed(leg, message.detail);
        this.#report(leg, { type: 'failed' });
        break;
    }
  }

  #opened(leg: LegPort, result: OpenResult): void {
    if (!result.ok) this.#legs.delete(leg.id);
    this.#opening.get(leg.id)?.(result);
    this.#opening.delete(leg.id);
  }

  #onExit(): void {
    this.#files.closeAll();
    this.#ready.reject(this.#failure ?? new Error('the thread ended'));
    const legs = [...this.#legs.values()];
    this.#legs.clear();
    const open = legs.filter((leg) => !this.#opening.has(leg.id));
    if (!this.#terminating) this.#events.onLost(this, open.length, this.#failure);
    for (const resolve of this.#opening.values()) {
      resolve({ ok: false, code: 'WORKER_LOST', detail: 'the media worker ended' });
    }
    this.#opening.clear();
    for (const leg of open) {
      this.#events.onClosed(leg);
      if (!this.#terminating) this.#report(leg, { type: 'worker_lost' });
      leg.finish();
    }
  }

  #report(leg: LegPort, event: MediaEvent): void {
    try {
      leg.report(event);
    } catch (error) {
      this.#events.onHandlerError(error);
    }
  }
}
