import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FakePipeline } from '../support/fake-pipeline.ts';
import { acme, TestGateway } from '../support/gateway.ts';
import { runSipp, type SippRun, sippAvailable } from '../support/sipp.ts';

const sipp = sippAvailable();
const done = (calls: number) => ({ exitCode: 0, successful: calls, failed: 0, errors: '' });

function runOn(gateway: TestGateway, scenario: string, options: Partial<SippRun>) {
  const target = gateway.sipAddress(options.transport === 't1' ? 'tcp' : 'udp');
  return runSipp({ scenario, target, users: ['nobody'], timeoutSeconds: 40, ...options });
}

describe.skipIf(!sipp.available)(`SIPp (${sipp.reason}) calls the gateway`, () => {
  let gateway: TestGateway;
  const run = (scenario: string, options: Partial<SippRun>) => runOn(gateway, scenario, options);
  const sessions = (count: number) => Promise.all(Array.from({ length: count }, () => gateway.session()));

  beforeAll(async () => {
    gateway = await TestGateway.start();
  });
  afterAll(() => gateway.stop());

  test.each(['u1', 't1'] as const)('with speech, ten calls at a time (%s)', async (transport) => {
    const users = await sessions(10);
    expect(await run('uac-call-rtp', { users, count: 10, rate: 20, transport })).toMatchObject(done(10));
    // A session is active from its first RTP packet on.
    for (const id of users) {
      const { body } = await gateway.rest('GET', `/v1/sessions/${id}`);
      expect(body.started_at).toEqual(expect.any(String));
    }
  });

  test('50 at once with RTP', async () => {
    const users = await sessions(50);
    const result = await run('uac-call-rtp', { users, count: 50, rate: 50, concurrent: 50 });
    expect(result).toMatchObject(done(50));
  });

  test.each([
    'uac-hold-resume',
    'uac-codec-change',
    'uac-port-change',
    'uac-late-offer',
    'uac-cancel-early',
    'uac-options',
  ])('%s', async (scenario) => {
    expect(await run(scenario, { users: await sessions(5), count: 5 })).toMatchObject(done(5));
    const overTcp = await run(scenario, { users: await sessions(5), count: 5, transport: 't1' });
    expect(overTcp).toMatchObject(done(5));
  });

  test('a second call on a role is busy, and the first goes on', async () => {
    const [id] = await sessions(1);
    expect(await run('uac-busy-role', { users: [`${id};role=agent`] })).toMatchObject(done(1));
  });

  test('both parties of a session are answered, one after the other', async () => {
    const [id] = await sessions(1);
    const users = [`${id};role=agent`, `${id};role=customer`];
    expect(await run('uac-call-rtp', { users, count: 2 })).toMatchObject(done(2));
  });

  test('every call comes up and ends although 5 % of the packets are lost', async () => {
    const result = await run('uac-lost', { users: await sessions(50), count: 50, rate: 25, lost: 5 });
    expect(result).toMatchObject({ exitCode: 0, successful: 50, failed: 0 });
    expect(Number(result.stats['Retransmissions(C)'])).toBeGreaterThan(0);
  });

  describe('refusals', () => {
    const refused = async (user: string, status: string, error: string, keys: Record<string, string> = {}) =>
      expect(
        await run('uac-expect-status', {
          users: [user],
          variables: { status, ...(error && { error }) },
          keys,
        }),
      ).toMatchObject(done(1));

    test('404 for a session that does not exist, and for what is no session', async () => {
      await refused('sess_01ARZ3NDEKTSV4RRFFQ69G5FAV', '404', 'session_not_found');
      await refused('reception', '404', 'not_a_session');
    });

    test('410 for a session that has ended', async () => {
      const [id] = await sessions(1);
      await gateway.rest('POST', `/v1/sessions/${id}/end`);
      await refused(id!, '410', 'session_ended');
    });

    test('400 for a role that is none', async () => {
      await refused(`${(await sessions(1))[0]};role=boss`, '400', 'role_invalid');
    });

    test('488 when no codec is in common', async () => {
      await refused((await sessions(1))[0]!, '488', 'no_common_codec', { formats: '18' });
    });

    test('420 for an extension that is not there', async () => {
      await refused((await sessions(1))[0]!, '420', '', { header: 'Require: teleportation' });
    });

    test('and 200 for the same call without fault', async () => {
      await refused((await sessions(1))[0]!, '200', '');
    });
  });
});

describe.skipIf(!sipp.available)('SIPp has to give a password', () => {
  let gateway: TestGateway;
  const auth = { user: 'acme', password: 'acme-password' };
  const run = (scenario: string, options: Partial<SippRun>) => runOn(gateway, scenario, options);

  beforeAll(async () => {
    gateway = await TestGateway.start({
      organizations: [{ ...acme, sip: { ...acme.sip, allowed_ips: [] } }],
    });
  });
  afterAll(() => gateway.stop());

  test.each(['u1', 't1'] as const)('the right one is accepted (%s)', async (transport) => {
    const users = [await gateway.session(), await gateway.session()];
    expect(await run('uac-digest', { users, auth, count: 2, transport })).toMatchObject(done(2));
  });

  test('a registration with it is accepted', async () => {
    expect(await run('uac-register', { auth })).toMatchObject(done(1));
  });

  test('the wrong one is refused', async () => {
    const wrong = { user: 'acme', password: 'guess' };
    const users = [await gateway.session()];
    expect(await run('uac-digest-wrong-password', { users, auth: wrong })).toMatchObject(done(1));
  });

  test('an Authorization that another call has used is stale', async () => {
    const id = await gateway.session();
    const phone = await gateway.phone();
    const call = await phone.call(gateway.uri(id));
    expect(call.status).toBe(200);
    const authorization = call.invite!.headers.get('authorization')!;
    expect(await run('uac-digest-replay', { users: [id], keys: { authorization } })).toMatchObject(done(1));
    await phone.stop();
  });
});

describe.skipIf(!sipp.available)('SIPp calls from an address that is not allowed', () => {
  test('403, although it knows the password', async () => {
    const elsewhere = { ...acme, sip: { ...acme.sip, allowed_ips: ['192.0.2.0/24'] } };
    const gateway = await TestGateway.start({ organizations: [elsewhere] });
    try {
      const users = [await gateway.session()];
      const auth = { user: 'acme', password: 'acme-password' };
      expect(await runOn(gateway, 'uac-digest-wrong-password', { users, auth })).toMatchObject(done(1));
      const { body } = await gateway.rest('GET', '/v1/admin/refusals');
      expect(body.data[0]).toMatchObject({ code: 'ip_not_allowed', status: 403 });
    } finally {
      await gateway.stop();
    }
  });
});

describe.skipIf(!sipp.available)('SIPp gives up while the pipeline makes it wait', () => {
  test('the call ends with 487, and the session can be called again', async () => {
    const pipeline = await FakePipeline.start({ readyAfterMs: 'never' });
    const gateway = await TestGateway.start({
      settings: { pipeline: { url: pipeline.url, on_failure: 'hangup' } },
    });
    try {
      const id = await gateway.session();
      const again = { users: [`${id};role=customer`], count: 3, concurrent: 1 };
      expect(await runOn(gateway, 'uac-cancel-late', again)).toMatchObject(done(3));
    } finally {
      await gateway.stop();
      await pipeline.close();
    }
  });
});
