import type { EngineStats } from './stats.ts';
import type { CertificateInUse, CertificateReport } from './tls-certificate.ts';
import type { CallTrace } from './trace.ts';

/** What drachtio's protocol cannot carry (decisions §9): the ban list, the messages of a call and the engine's load. */
export interface EngineControl {
  /** Meets a source with silence, outside its calls, for `forMs`. */
  ban(address: string, forMs: number): void;
  unban(address: string): void;
  /**
   * To sources in these networks, in place of those named before, no cap of one source applies, and when there is more to
   * do than time they come first: `192.0.2.0/24`, `2001:db8::/32`.
   */
  exemptNetworks(networks: readonly string[]): void;
  /** The same for one address, for `forMs`. */
  exempt(address: string, forMs: number): void;
  /** Reads the files of the TLS certificate again, and reports what is in use then, or what is wrong with them. */
  reloadCertificate(): void;
  /**
   * The last messages of a call, as text without secrets; undefined when nothing is known of it (any more).
   * @throws Error when the engine is closed or has died
   */
  trace(callId: string): Promise<string | undefined>;
  /** @throws Error when the engine is closed or has died */
  stats(): Promise<EngineStats>;
}

/** Messages of the main thread to the engine worker. */
export type ToEngine =
  | { type: 'ban'; address: string; forMs: number }
  | { type: 'unban'; address: string }
  | { type: 'exempt_networks'; networks: readonly string[] }
  | { type: 'exempt'; address: string; forMs: number }
  | { type: 'reload_certificate' }
  | { type: 'trace'; id: number; callId: string }
  | { type: 'stats'; id: number }
  | { type: 'close' };

/** What the engine worker answers to a question. */
export type EngineAnswer = CallTrace | EngineStats | undefined;

/** Messages of the engine worker. */
export type FromEngine =
  | {
      type: 'ready';
      port: number;
      secret: string;
      hostports: string[];
      certificate: CertificateInUse | undefined;
    }
  | { type: 'failed'; message: string }
  | { type: 'answer'; id: number; answer: EngineAnswer }
  | { type: 'fault'; stack: string }
  | { type: 'certificate'; report: CertificateReport }
  | { type: 'closed' };
