import { Worker } from 'node:worker_threads';
import type { EngineControl, FromEngine, ToEngine } from './engine-control.ts';
import type { EngineSettings } from './engine-process.ts';
import type { EngineStats } from './stats.ts';
import type { CertificateReport } from './tls-certificate.ts';
import type { CallTrace } from './trace.ts';
import { formatTrace } from './trace-text.ts';

export type EngineOptions = EngineSettings;

/** The embedded SIP engine, in a thread of its own. Applications reach it as they would reach a drachtio-server. */
export interface Engine {
  /** What `srf.connect` needs: 127.0.0.1, an ephemeral port, a random secret. */
  readonly host: string;
  readonly port: number;
  readonly secret: string;
  /** Where SIP is received, like `udp/127.0.0.1:5060`, with the ports that were bound. */
  readonly hostports: string[];
  readonly control: EngineControl;
  /** The thread has ended: with an error when it died, with null after `close`. Called at once if it already has. */
  onExit(listener: (error: Error | null) => void): void;
  /** An error of the engine itself, which cost one message, frame or timer; at most one every 10 s is told. */
  onFault(listener: (stack: string) => void): void;
  /** What became of the TLS certificate; the one of the start is told at once. */
  onCertificate(listener: (report: CertificateReport) => void): void;
  /** Closes all sockets, within 1 s; idempotent. Calls that are up get a BYE. */
  close(): Promise<void>;
}

/** ms after which a thread that does not close by itself is ended. */
const CLOSE_MS = 900;
/** Without a bound V8 lets short-lived garbage pile up to 96 MB, and keeps that memory. */
const MAX_YOUNG_MB = 24;

/** @throws Error naming the address that cannot be bound, or the file that cannot be used */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  const worker = new Worker(new URL('./engine-worker.ts', import.meta.url), {
    workerData: options,
    name: 'sip-engine',
    resourceLimits: { maxYoungGenerationSizeMb: MAX_YOUNG_MB },
  });
  const ready = await new Promise<Extract<FromEngine, { type: 'ready' }>>((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', (message: FromEngine) => {
      worker.off('error', reject);
      if (message.type === 'ready') resolve(message);
      else reject(new Error(message.type === 'failed' ? message.message : 'the SIP engine did not start'));
    });
  }).catch(async (error: unknown) => {
    await worker.terminate();
    throw error;
  });
  return new EngineThread(worker, ready);
}

class EngineThread implements Engine {
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly secret: string;
  readonly hostports: string[];
  readonly control: EngineControl;
  readonly #worker: Worker;
  readonly #listeners: ((error: Error | null) => void)[] = [];
  readonly #faultListeners: ((stack: string) => void)[] = [];
  readonly #certificateListeners: ((report: CertificateReport) => void)[] = [];
  readonly #atStart: CertificateReport | undefined;
  readonly #waiting = new Map<number, { resolve(answer: unknown): void; reject(error: Error): void }>();
  #exit: { error: Error | null } | undefined;
  #error: Error | null = null;
  #closing: Promise<void> | undefined;
  #lastId = 0;

  constructor(worker: Worker, ready: Extract<FromEngine, { type: 'ready' }>) {
    this.#worker = worker;
    this.port = ready.port;
    this.secret = ready.secret;
    this.hostports = ready.hostports;
    this.#atStart = ready.certificate;
    this.control = {
      ban: (address, forMs) => this.#tell({ type: 'ban', address, forMs }),
      unban: (address) => this.#tell({ type: 'unban', address }),
      exemptNetworks: (networks) => this.#tell({ type: 'exempt_networks', networks }),
      exempt: (address, forMs) => this.#tell({ type: 'exempt', address, forMs }),
      reloadCertificate: () => this.#tell({ type: 'reload_certificate' }),
      trace: (callId) => this.#trace(callId),
      stats: () => this.#ask<EngineStats>((id) => ({ type: 'stats', id })),
    };
    worker.on('message', (message: FromEngine) => this.#receive(message));
    worker.on('error', (error: Error) => {
      this.#error = error;
    });
    worker.on('exit', () => this.#exited());
  }

  onExit(listener: (error: Error | null) => void): void {
    if (this.#exit !== undefined) listener(this.#exit.error);
    else this.#listeners.push(listener);
  }

  onFault(listener: (stack: string) => void): void {
    this.#faultListeners.push(listener);
  }

  onCertificate(listener: (report: CertificateReport) => void): void {
    if (this.#atStart !== undefined) listener(this.#atStart);
    this.#certificateListeners.push(listener);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#exit !== undefined) return;
    const deadline = setTimeout(() => void this.#worker.terminate(), CLOSE_MS);
    const exited = new Promise<void>((resolve) => this.onExit(() => resolve()));
    this.#tell({ type: 'close' });
    await exited;
    clearTimeout(deadline);
  }

  #tell(message: ToEngine): void {
    this.#worker.postMessage(message);
  }

  #receive(message: FromEngine): void {
    if (message.type === 'closed') void this.#worker.terminate();
    if (message.type === 'fault') for (const listener of this.#faultListeners) listener(message.stack);
    if (message.type === 'certificate')
      for (const listener of this.#certificateListeners) listener(message.report);
    if (message.type !== 'answer') return;
    this.#waiting.get(message.id)?.resolve(message.answer);
    this.#waiting.delete(message.id);
  }

  /** The engine gives what it kept; it is this thread that spends the time on making it readable. */
  async #trace(callId: string): Promise<string | undefined> {
    // Text of the wire has a byte a character.
    const onWire = Buffer.from(callId).toString('latin1');
    const trace = await this.#ask<CallTrace | undefined>((id) => ({ type: 'trace', id, callId: onWire }));
    return trace && formatTrace(onWire, trace);
  }

  #ask<Answer>(question: (id: number) => ToEngine): Promise<Answer> {
    if (this.#exit !== undefined) return Promise.reject(new Error('the SIP engine has ended'));
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: (answer) => resolve(answer as Answer), reject });
      this.#tell(question(id));
    });
  }

  #exited(): void {
    const error = this.#error ?? (this.#closing === undefined ? new Error('the SIP engine has died') : null);
    this.#exit = { error };
    for (const { reject } of this.#waiting.values()) reject(new Error('the SIP engine has ended'));
    this.#waiting.clear();
    for (const listener of this.#listeners) listener(error);
  }
}
