import { systemClock } from '../../src/clock.ts';
import { parseConfig } from '../../src/config/config.ts';
import { Admission, type AdmissionParts } from '../../src/sip/admission.ts';
import type { SipRequest } from '../../src/sip/srf-port.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';

export const acmeTrunk = {
  ...{ organizationId: 'acme', active: true, sipEnabled: true, credentials: null },
  allowedIps: [] as string[],
  ...{ requireDigest: false, tlsRequired: false, tlsCertificates: ['pbx.acme.example'], concurrencyLimit: 1 },
  ...{ mediaTimeoutSeconds: null, codecs: null, inboundFirst: false },
  ...{ srtp: 'off' as const, sessionDefaults: {} },
};

interface AdmissionWishes extends Partial<Pick<AdmissionParts, 'findSession' | 'hostports' | 'log'>> {
  /** The section `sip` of the configuration. */
  sip?: object;
  trunk?: typeof acmeTrunk;
}

/** Admission for one organization, which has no sessions unless the test says so. */
export function openAdmission({ sip = {}, trunk = acmeTrunk, ...parts }: AdmissionWishes = {}): Admission {
  return new Admission({
    config: parseConfig({ sip }).sip,
    realm: 'sip.kallglot.com',
    nonceKey: 'key',
    trunks: { version: 1, all: () => [trunk], ofOrganization: () => trunk, ofUsername: () => undefined },
    findSession: async () => undefined,
    newSession: () => {
      throw new Error('no session is made');
    },
    bridgeLive: () => false,
    unavailable: () => undefined,
    hostports: () => ['tls/192.0.2.1:5061'],
    silencer: () => undefined,
    clock: systemClock,
    metrics: createMetrics(),
    log: createLog('silent'),
    ...parts,
  });
}

/** A request from a source that is on no list of the documentation's organizations. */
export function requestTo(
  uri: string,
  { method = 'INVITE', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): SipRequest {
  return {
    ...{ method, uri, body: '', headers },
    ...{ source: 'network', source_address: '203.0.113.66', source_port: 5061, protocol: 'tls' },
    get: (name: string) => headers[name],
    on: () => {},
  } as SipRequest;
}
