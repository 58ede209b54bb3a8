import { type FSWatcher, watch } from 'node:fs';
import { dirname } from 'node:path';
import type { EngineStats } from './stats.ts';
import type { EngineClock, Timer } from './timers.ts';
import { TlsHandshakes } from './tls-handshakes.ts';
import { readTlsMaterial, type TlsMaterial, type TlsSettings } from './tls-settings.ts';

/** Our certificate as it is used for new connections: from now on, or still, and it is about to end or has ended. */
export interface CertificateInUse {
  event: 'in_use' | 'expires_soon';
  file: string;
  /** Wall clock, ms. */
  expiresAt: number;
}

/** What became of our certificate, for the operator. `not_taken`: the files cannot be used; what was in use stays. */
export type CertificateReport = CertificateInUse | { event: 'not_taken'; problem: string };

/** Changes are seen at once where the system tells of them, and everywhere by looking again after so long, ms. */
const LOOK_AGAIN_MS = 30_000;
/** Certificate and key are written one after the other. */
const SETTLE_MS = 500;
const SOON_MS = 14 * 86_400_000;
const REMIND_MS = 86_400_000;

/** The certificate that TLS is spoken with: read from its files at start, and again when they change. */
export class TlsCertificate {
  readonly handshakes: TlsHandshakes;
  readonly #settings: TlsSettings;
  readonly #clock: EngineClock;
  readonly #report: (report: CertificateReport) => void;
  readonly #watchers: FSWatcher[] = [];
  #inUse: TlsMaterial;
  #problem = '';
  /** Somebody waits to hear what is in use. */
  #asked = false;
  #remindedAt: number;
  #look: Timer;
  #reading: Promise<void> | undefined;
  #again = false;
  #closed = false;

  /** @throws Error in plain words that names the file that cannot be used */
  static async open(
    settings: TlsSettings,
    stats: EngineStats,
    clock: EngineClock,
    report: (report: CertificateReport) => void,
  ): Promise<TlsCertificate> {
    const material = await readTlsMaterial(settings);
    return new TlsCertificate(settings, material, stats, clock, report);
  }

  private constructor(
    settings: TlsSettings,
    material: TlsMaterial,
    stats: EngineStats,
    clock: EngineClock,
    report: (report: CertificateReport) => void,
  ) {
    this.handshakes = new TlsHandshakes(settings, material, stats);
    this.#settings = settings;
    this.#clock = clock;
    this.#report = report;
    this.#inUse = material;
    this.#remindedAt = clock.now();
    this.#watch();
    this.#look = clock.after(LOOK_AGAIN_MS, () => void this.reload());
  }

  /** What is in use now. */
  get inUse(): CertificateInUse {
    return { event: 'in_use', file: this.#settings.certificate, expiresAt: this.#inUse.expiresAt };
  }

  /**
   * Looks at the files; what has changed and is good is used from now on. Never fails: it reports.
   * @param asked by the operator, who hears of it also when nothing has changed
   */
  async reload(asked = false): Promise<void> {
    this.#asked ||= asked;
    if (this.#reading !== undefined) {
      this.#again = true;
      return this.#reading;
    }
    this.#look.cancel();
    this.#reading = this.#read();
    await this.#reading;
    this.#reading = undefined;
    if (this.#closed) return;
    this.#look = this.#clock.after(LOOK_AGAIN_MS, () => void this.reload());
  }

  close(): void {
    this.#closed = true;
    this.#look.cancel();
    for (const watcher of this.#watchers) watcher.close();
  }

  async #read(): Promise<void> {
    do {
      this.#again = false;
      const found = await readTlsMaterial(this.#settings).catch((error: Error) => error);
      if (this.#closed) return;
      if (found instanceof Error) this.#refuse(found.message);
      else this.#take(found);
    } while (this.#again);
  }

  #take(material: TlsMaterial): void {
    const { cert, key, ca } = this.#inUse;
    const same = material.cert === cert && material.key === key && material.ca === ca;
    this.#problem = '';
    if (!same) {
      this.handshakes.renew(material);
      this.#inUse = material;
    }
    if (!same || this.#asked) this.#tell('in_use');
    else this.#remind();
    this.#asked = false;
  }

  /** Once for each problem, however often the files are looked at, unless somebody asks. */
  #refuse(problem: string): void {
    if (problem !== this.#problem || this.#asked) this.#report({ event: 'not_taken', problem });
    this.#problem = problem;
    this.#asked = false;
    this.#remind();
  }

  #remind(): void {
    const now = this.#clock.now();
    if (this.#inUse.expiresAt - now < SOON_MS && now - this.#remindedAt >= REMIND_MS)
      this.#tell('expires_soon');
  }

  #tell(event: 'in_use' | 'expires_soon'): void {
    this.#remindedAt = this.#clock.now();
    this.#report({ ...this.inUse, event });
  }

  /** The folders, because files are replaced by new ones, or by another link. */
  #watch(): void {
    const { certificate, key, ca } = this.#settings;
    const folders = new Set([certificate, key, ...(ca === undefined ? [] : [ca])].map(dirname));
    const changed = (): void => {
      this.#look.cancel();
      if (!this.#closed) this.#look = this.#clock.after(SETTLE_MS, () => void this.reload());
    };
    for (const folder of folders) {
      try {
        const watcher = watch(folder, { persistent: false }, changed);
        // A folder that cannot be watched any more is still looked at.
        watcher.on('error', () => watcher.close());
        this.#watchers.push(watcher);
      } catch {
        // The system has no more watches to give.
      }
    }
  }
}
