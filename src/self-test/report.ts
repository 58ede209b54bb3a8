import type { SelfTestKind } from '../config/self-test.ts';
import type { EndReason } from '../errors.ts';
import type { TestId } from '../ids.ts';
import type { Check } from './check.ts';
import { mediaChecks } from './media-checks.ts';
import type { CallSeen } from './seen.ts';
import { signallingChecks } from './signalling-checks.ts';

/** What a self-test has found, as it is kept and shown. */
export interface TestReport {
  id: TestId;
  object: 'sip_test';
  kind: SelfTestKind;
  status: 'running' | 'completed';
  /** The worst of the checks. */
  result: 'ok' | 'warning' | 'failed';
  started_at: string;
  answered_at: string | null;
  ended_at: string | null;
  duration_seconds: number;
  reason: EndReason | null;
  ended_by: 'pbx' | 'gateway' | null;
  sip_call_id: string;
  from: string;
  user_agent: string | null;
  checks: Check[];
}

/** @param now wall clock, ms */
export function reportOf(seen: CallSeen, now: number): TestReport {
  const { invite, answeredAt, endedAt } = seen;
  const checks = [...signallingChecks(seen), ...mediaChecks(seen)];
  const worst = (['failed', 'warning'] as const).find((result) =>
    checks.some((one) => one.result === result),
  );
  return {
    id: seen.id,
    object: 'sip_test',
    kind: seen.kind,
    status: endedAt === null ? 'running' : 'completed',
    result: worst ?? 'ok',
    started_at: iso(seen.startedAt),
    answered_at: answeredAt === null ? null : iso(answeredAt),
    ended_at: endedAt === null ? null : iso(endedAt),
    duration_seconds: answeredAt === null ? 0 : ((endedAt ?? now) - answeredAt) / 1000,
    reason: seen.reason,
    ended_by: endedAt === null ? null : seen.byPeer ? 'pbx' : 'gateway',
    sip_call_id: invite.callId,
    from: invite.from,
    user_agent: invite.userAgent,
    checks,
  };
}

const iso = (ms: number): string => new Date(ms).toISOString();
