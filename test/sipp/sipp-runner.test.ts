import { afterEach, describe, expect, test } from 'vitest';
import type { IncomingCall } from '../support/incoming-call.ts';
import type { PhoneCall } from '../support/phone-call.ts';
import { runSipp, type SippRun, sippAvailable } from '../support/sipp.ts';
import { TestPhone, type TestPhoneOptions } from '../support/test-phone.ts';

const sipp = sippAvailable();
const phones: TestPhone[] = [];

/** A phone that SIPp calls; it stands for the gateway. */
async function callee(
  handler: (incoming: IncomingCall, calls: PhoneCall[]) => unknown,
  options: TestPhoneOptions = {},
): Promise<{
  run: (scenario: string, options?: Partial<SippRun>) => ReturnType<typeof runSipp>;
  calls: PhoneCall[];
  phone: TestPhone;
}> {
  const phone = await new TestPhone(options).start();
  phones.push(phone);
  const calls: PhoneCall[] = [];
  phone.answer(async (incoming) => {
    await handler(incoming, calls);
  });
  const run = (scenario: string, options: Partial<SippRun> = {}) =>
    runSipp({
      scenario,
      target: `127.0.0.1:${phone.port}`,
      users: ['a', 'b'],
      timeoutSeconds: 15,
      ...options,
    });
  return { run, calls, phone };
}

const accept = async (incoming: IncomingCall, calls: PhoneCall[]) => {
  calls.push(await incoming.accept());
};
const challenge = (stale = '') => ({
  'WWW-Authenticate': `Digest realm="r", nonce="n", qop="auth", algorithm=MD5${stale}`,
});
const authorized = (incoming: IncomingCall) => incoming.invite.headers.get('authorization') !== undefined;

afterEach(async () => {
  await Promise.all(phones.splice(0).map((one) => one.stop()));
});

describe.skipIf(!sipp.available)(`SIPp as a caller (${sipp.reason})`, () => {
  test('calls each user in turn, with RTP that is speech, and hangs up', async () => {
    const { run, calls } = await callee(accept);
    const result = await run('uac-call-rtp', { count: 2, users: ['a;role=agent', 'b;role=customer'] });
    expect(result).toMatchObject({ exitCode: 0, successful: 2, failed: 0, errors: '' });
    expect(result.stats['OutgoingCall(C)']).toBe('2');
    const called = calls.map((call) => call.invite!.uri.split(/[:@]/)[1]);
    expect(called).toEqual(['a;role=agent', 'b;role=customer']);
    for (const call of calls) expect(call.media.heard.length).toBeGreaterThan(200);
  });

  test.each(['uac-hold-resume', 'uac-codec-change', 'uac-port-change', 'uac-late-offer'])(
    '%s succeeds over UDP and TCP',
    async (name) => {
      const { run } = await callee(accept);
      expect(await run(name)).toMatchObject({ exitCode: 0, successful: 1, failed: 0, errors: '' });
    },
  );

  test.each(['uac-hold-resume', 'uac-codec-change', 'uac-port-change'])(
    '%s fails when the re-INVITE is refused',
    async (name) => {
      const { run } = await callee(async (incoming) => {
        const call = await incoming.accept();
        call.onRequest = () => ({ status: 488, reason: 'Not Acceptable Here' });
      });
      const result = await run(name);
      expect(result).toMatchObject({ successful: 0, failed: 1 });
      expect(result.errors).toContain('488');
    },
  );

  test('digest: challenged and accepted; with the wrong password refused', async () => {
    const { run } = await callee((incoming, calls) =>
      authorized(incoming) ? accept(incoming, calls) : incoming.reject(401, 'Unauthorized', challenge()),
    );
    const auth = { user: 'acme', password: 'secret' };
    expect(await run('uac-digest', { auth })).toMatchObject({ exitCode: 0, successful: 1 });
    expect(await run('uac-digest-wrong-password', { auth })).toMatchObject({ successful: 0, failed: 1 });
    const strict = await callee((incoming) =>
      authorized(incoming)
        ? incoming.reject(403, 'Forbidden')
        : incoming.reject(401, 'Unauthorized', challenge()),
    );
    expect(await strict.run('uac-digest-wrong-password', { auth })).toMatchObject({
      exitCode: 0,
      successful: 1,
    });
    expect(await strict.run('uac-digest', { auth })).toMatchObject({ successful: 0, failed: 1 });
  });

  test('digest: a replayed header must be called stale', async () => {
    const keys = { authorization: 'Digest username="u", realm="r", nonce="n", response="0", nc=00000001' };
    const used: (string | undefined)[] = [];
    const good = await callee((incoming) => {
      used.push(incoming.invite.headers.get('authorization'));
      incoming.reject(401, 'Unauthorized', challenge(', stale=true'));
    });
    expect(await good.run('uac-digest-replay', { keys })).toMatchObject({ exitCode: 0, successful: 1 });
    expect(used).toEqual([keys.authorization]);
    const bad = await callee((incoming) => incoming.reject(401, 'Unauthorized', challenge()));
    expect(await bad.run('uac-digest-replay', { keys })).toMatchObject({ successful: 0, failed: 1 });
  });

  test('a final status and an error code are expected by name', async () => {
    const { run } = await callee((incoming) =>
      incoming.reject(404, 'Not Found', { 'X-Kallglot-Error': 'session_not_found' }),
    );
    const expecting = (status: string, error?: string) =>
      run('uac-expect-status', { variables: { status, ...(error ? { error } : {}) } });
    expect(await expecting('404')).toMatchObject({ exitCode: 0, successful: 1, failed: 0 });
    expect(await expecting('404', 'session_not_found')).toMatchObject({ exitCode: 0, successful: 1 });
    expect(await expecting('404', 'not_a_session')).toMatchObject({ successful: 0, failed: 1 });
    expect(await expecting('486')).toMatchObject({ successful: 0, failed: 1 });
    const yes = await callee(accept);
    expect(await yes.run('uac-expect-status', { variables: { status: '200' } })).toMatchObject({
      successful: 1,
    });
    expect(yes.calls[0]!.requests.map((one) => one.method)).toEqual(['ACK', 'BYE']);
  });

  test('CANCEL works while it rings; early, it may also come too late', async () => {
    const ringing = await callee((incoming) => incoming.ring());
    expect(await ringing.run('uac-cancel-late')).toMatchObject({ exitCode: 0, successful: 1 });
    expect(await ringing.run('uac-cancel-early')).toMatchObject({ exitCode: 0, successful: 1 });
    const quick = await callee(accept);
    expect(await quick.run('uac-cancel-early')).toMatchObject({ exitCode: 0, successful: 1 });
    expect(await quick.run('uac-cancel-late', { timeoutSeconds: 3 })).toMatchObject({ successful: 0 });
  });

  test('a second call on a role is expected to be refused, and the first to stay', async () => {
    const { run, calls } = await callee((incoming, all) =>
      all.length === 0
        ? accept(incoming, all)
        : incoming.reject(486, 'Busy Here', { 'X-Kallglot-Error': 'role_taken' }),
    );
    expect(await run('uac-busy-role', { users: ['a;role=agent'] })).toMatchObject({
      exitCode: 0,
      successful: 1,
    });
    expect(calls[0]!.requests.map((one) => one.method)).toEqual(['ACK', 'BYE']);
    const lax = await callee(accept);
    expect(await lax.run('uac-busy-role', { timeoutSeconds: 3 })).toMatchObject({ successful: 0 });
  });

  test('OPTIONS without Allow is not good enough', async () => {
    const { run } = await callee(accept);
    expect(await run('uac-options')).toMatchObject({ successful: 0, failed: 1 });
  });

  test('calls come up although 5 % of the packets are lost', async () => {
    const { run } = await callee(accept);
    const result = await run('uac-lost', { count: 40, rate: 40, lost: 5, timeoutSeconds: 60 });
    expect(result).toMatchObject({ exitCode: 0, successful: 40, failed: 0 });
    expect(Number(result.stats['Retransmissions(C)'])).toBeGreaterThan(0);
  });

  test('a server that does not answer costs the time limit and no more', async () => {
    const { run } = await callee(() => {});
    const startedAt = performance.now();
    const result = await run('uac-digest', { timeoutSeconds: 2 });
    expect(result.exitCode).not.toBe(0);
    expect(result.successful).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(12_000);
  });

  test('an aborted run ends SIPp at once', async () => {
    const abort = new AbortController();
    const { run } = await callee(() => abort.abort());
    expect(await run('uac-digest', { signal: abort.signal })).toMatchObject({ exitCode: -1, successful: 0 });
  });

  test('a scenario that does not exist is an error, and one that SIPp cannot read is SIPp’s own failure', async () => {
    const { run } = await callee(accept);
    await expect(run('uac-nothing')).rejects.toThrow('uac-nothing.xml');
    const result = await run('uac-digest', { extra: ['-no_such_option'] });
    expect(result).toMatchObject({ successful: 0, failed: 0 });
    expect(result.exitCode).not.toBe(0);
    expect(result.errors).toContain('no_such_option');
  });
});
