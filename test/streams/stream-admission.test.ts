import { expect, test } from 'vitest';
import { newSessionId, type SessionId } from '../../src/ids.ts';
import { signToken } from '../../src/session-token.ts';
import type { Session } from '../../src/sessions/session.ts';
import { admitStream } from '../../src/streams/stream-admission.ts';

const secret = 'a-secret-of-this-test';
const [mine, gone, foreign, lost] = Array.from({ length: 4 }, newSessionId) as [
  SessionId,
  SessionId,
  SessionId,
  SessionId,
];
const sessions = new Map<SessionId, Partial<Session>>([
  [mine, { id: mine, organizationId: 'acme', status: 'active' }],
  [gone, { id: gone, organizationId: 'acme', status: 'ended' }],
  [foreign, { id: foreign, organizationId: 'idle', status: 'created' }],
]);

const MINUTE = 60_000;
const tokenOf = (id: SessionId, at = 0) => `kst_test_${signToken(secret, id, at)}`;

/** What becomes of a client, as the code of its refusal. */
async function admit(
  id: SessionId,
  token: string,
  { now = 0, unavailable }: { now?: number; unavailable?: 'draining' } = {},
) {
  const looked: string[] = [];
  const options = {
    tokenSecret: secret,
    now: () => now,
    sessions: {
      find: async (wanted: SessionId) => {
        looked.push(wanted);
        return sessions.get(wanted) as Session | undefined;
      },
    },
    organizationOf: (name: string) => ({ active: name === 'acme', concurrencyLimit: 7 }),
    assertStore: () => undefined,
    unavailable: () => unavailable,
  };
  const outcome = await admitStream(options, id, token).catch((error: { code: string }) => error.code);
  return { outcome, looked: looked.length };
}

test('a token opens its session for 5 minutes, as often as it is shown', async () => {
  const admitted = { outcome: { session: sessions.get(mine), concurrencyLimit: 7 }, looked: 1 };
  expect(await admit(mine, tokenOf(mine))).toEqual(admitted);
  expect(await admit(mine, tokenOf(mine), { now: 5 * MINUTE - 1 })).toEqual(admitted);
  expect(await admit(mine, tokenOf(mine).replace('_test_', '_live_'))).toEqual(admitted);
});

test.each([
  ['older than 5 minutes', tokenOf(mine), 5 * MINUTE],
  ['of another session', tokenOf(gone), 0],
  ['signed by somebody else', `kst_test_${signToken('x', mine, 0)}`, 0],
  ['without its prefix', signToken(secret, mine, 0), 0],
  ['missing', '', 0],
  ['cut', tokenOf(mine).slice(0, -1), 0],
  ['very long', `kst_test_${'a'.repeat(100_000)}`, 0],
])('a token that is %s opens nothing, and nothing is looked up for it', async (_what, token, now) => {
  expect(await admit(mine, token, { now })).toEqual({ outcome: 'invalid_token', looked: 0 });
});

test.each([
  ['has ended', gone, 'session_ended'],
  ['belongs to an organization that is not active', foreign, 'organization_inactive'],
  ['is not there', lost, 'session_not_found'],
])('a good token does not open a session that %s', async (_what, id, code) => {
  expect((await admit(id, tokenOf(id))).outcome).toBe(code);
});

test('a gateway that shuts down takes nobody', async () => {
  const { outcome, looked } = await admit(mine, tokenOf(mine), { unavailable: 'draining' });
  expect([outcome, looked]).toEqual(['draining', 0]);
});
