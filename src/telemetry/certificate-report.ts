import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';

/** What the SIP engine says of its TLS certificate. */
type Report =
  | { event: 'in_use' | 'expires_soon'; file: string; expiresAt: number }
  | { event: 'not_taken'; problem: string };

/** Writes it into the log and the metrics. @param now wall clock, ms */
export function tellOfCertificate(report: Report, log: Log, metrics: Metrics, now: number): void {
  if (report.event === 'not_taken') {
    log.error({ problem: report.problem }, 'the new TLS certificate cannot be used; the old one stays');
    return;
  }
  const { event, file, expiresAt } = report;
  metrics.sip_tls_certificate_expires_seconds.set({ file }, Math.floor(expiresAt / 1000));
  const told = { file, expires_at: new Date(expiresAt).toISOString() };
  if (expiresAt <= now) log.error(told, 'the TLS certificate has expired');
  else if (event === 'expires_soon') log.warn(told, 'the TLS certificate expires soon');
  else log.info(told, 'the TLS certificate is in use');
}
