import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { parseConfig } from '../../src/config/config.ts';
import { Admission, type AdmissionParts } from '../../src/sip/admission.ts';
import { extensionHeaders } from '../../src/sip/header-values.ts';
import type { SipRequest } from '../../src/sip/srf-port.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';

const certificate = `sha256=${'ab'.repeat(32)};names="pbx.acme.example"`;
const trunk = {
  ...{ organizationId: 'acme', active: true, sipEnabled: true, credentials: null, allowedIps: [] },
  ...{ requireDigest: false, tlsRequired: false, tlsCertificates: ['pbx.acme.example'], concurrencyLimit: 1 },
  ...{
    mediaTimeoutSeconds: null,
    codecs: null,
    inboundFirst: false,
    srtp: 'off' as const,
    sessionDefaults: {},
  },
};

/** What an INVITE with the engine's word for that certificate is told; its session does not exist. */
async function answerTo(engine: 'embedded' | 'drachtio') {
  const admission = new Admission({
    config: parseConfig({ sip: { engine } }).sip,
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
  } satisfies AdmissionParts);
  const headers: Record<string, string> = { 'X-Kallglot-Peer-Certificate': certificate };
  const told = await admission.admitInvite({
    ...{ method: 'INVITE', uri: 'sip:sess_01ARZ3NDEKTSV4RRFFQ69G5FAV@192.0.2.1', body: '', headers },
    ...{ source: 'network', source_address: '203.0.113.66', source_port: 5061, protocol: 'tls' },
    get: (name: string) => headers[name],
    on: () => {},
  } as SipRequest);
  return 'refusal' in told ? told.refusal.code : 'admitted';
}

describe("the header with the caller's certificate", () => {
  test('identifies when the embedded engine has set it', async () => {
    expect(await answerTo('embedded')).toBe('session_not_found');
  });

  test('is worth nothing from a drachtio-server, which passes on what callers write', async () => {
    expect(await answerTo('drachtio')).toBe('credentials_required');
  });

  test('is none of the headers that a caller has sent', () => {
    const headers = {
      'X-Own': 'yes',
      'X-Kallglot-Peer-Certificate': '1',
      'x-kallglot-peer-certificate': '2',
    };
    expect(extensionHeaders(headers)).toEqual({ 'X-Own': 'yes' });
  });
});
