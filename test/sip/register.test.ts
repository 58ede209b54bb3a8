import { describe, expect, test } from 'vitest';
import { StoreUnavailable } from '../../src/errors.ts';
import type { Admission } from '../../src/sip/admission.ts';
import { handleRegister, type RegistrationBook } from '../../src/sip/register.ts';
import type { SipContext } from '../../src/sip/sip-context.ts';
import type { SipRequest, SipResponse } from '../../src/sip/srf-port.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { RecentRefusals } from '../../src/telemetry/recent-refusals.ts';

/** A REGISTER that was admitted, and a book that answers as the test says. @returns what was sent */
async function register(update: RegistrationBook['update']) {
  const sent: { status: number; headers: Record<string, string> }[] = [];
  const headers: Record<string, string> = {
    Contact: '<sip:pbx@192.0.2.1>;expires=300',
    To: '<sip:acme@example.com>',
  };
  const request = {
    ...{ method: 'REGISTER', uri: 'sip:example.com', source_address: '192.0.2.1', source_port: 5060 },
    get: (name: string) => headers[name],
  } as unknown as SipRequest;
  const response = {
    send: (status: number, details: { headers: Record<string, string> }) =>
      void sent.push({ status, headers: details.headers }),
  } as unknown as SipResponse;
  const admission = {
    admitRegister: () => ({ organizationId: 'acme', sourceAddress: '192.0.2.1' }),
    succeeded: () => undefined,
  } as unknown as Admission;
  await handleRegister(
    {
      ...{ admission, registrations: { update }, log: createLog('silent'), metrics: createMetrics() },
      ...{ refusals: new RecentRefusals(), now: () => 1_800_000_000_000 },
    } as unknown as SipContext,
    request,
    response,
  );
  return sent;
}

describe('a REGISTER', () => {
  test('is answered with its bindings', async () => {
    const sent = await register(async (_binding, change) => void change([]));
    expect(sent).toHaveLength(1);
    expect(sent[0]).toMatchObject({ status: 200, headers: { Contact: '<sip:pbx@192.0.2.1>;expires=300' } });
  });

  test('is put off while the store is lost', async () => {
    const sent = await register(() => Promise.reject(new StoreUnavailable(new Error('gone'))));
    expect(sent).toHaveLength(1);
    expect(sent[0]).toMatchObject({
      status: 503,
      headers: { 'Retry-After': '5', 'X-Kallglot-Error': 'store_unavailable' },
    });
  });

  test('that meets an error of ours is not told to come back', async () => {
    await expect(register(() => Promise.reject(new Error('a bug')))).rejects.toThrow('a bug');
  });
});
