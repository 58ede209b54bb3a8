import type { SelfTestKind } from '../config/self-test.ts';
import type { MediaPool, MediaStats } from '../media/media-port.ts';
import type { Page } from '../store/page.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { TestReport } from './report.ts';
import type { TestReports } from './reports.ts';
import type { InviteSeen } from './seen.ts';
import { TestCall, type TestCallContext } from './test-call.ts';

export interface SelfTestsOptions {
  media: MediaPool;
  reports: TestReports;
  mediaTimeoutSeconds: number;
  testSeconds: number;
  now: () => number;
  log: Log;
  metrics: Pick<Metrics, 'self_tests_total'>;
  /** Holds a place among the calls. @returns gives it back @throws Refusal `concurrency_limit`, `overloaded`, `draining` */
  takePlace: (organizationId: string, limit: number) => () => void;
  /** What a call has counted so far. */
  onCounted: (call: object, stats: MediaStats) => void;
}

/** What an INVITE to a self-test number asks for. */
interface WantedTest {
  kind: SelfTestKind;
  organizationId: string;
  concurrencyLimit: number;
  invite: InviteSeen;
}

/** The calls to self-test numbers that are up on this node, and the reports of all. */
export class SelfTests {
  readonly #options: SelfTestsOptions;
  readonly #context: TestCallContext;
  readonly #calls = new Map<TestCall, () => void>();
  readonly #closing = new Set<Promise<void>>();

  constructor(options: SelfTestsOptions) {
    const { media, mediaTimeoutSeconds, testSeconds, now, onCounted } = options;
    this.#options = options;
    this.#context = {
      ...{ media, mediaTimeoutSeconds, testSeconds, now, onCounted },
      onEnded: (call, settled) => this.#ended(call, settled),
      onReport: (organizationId, report) => this.#keep(organizationId, report),
    };
  }

  /** Synchronous, like the reservation of a role. @throws Refusal `concurrency_limit`, `overloaded`, `draining` */
  reserve({ kind, organizationId, concurrencyLimit, invite }: WantedTest): TestCall {
    const release = this.#options.takePlace(organizationId, concurrencyLimit);
    const call = new TestCall(this.#context, kind, organizationId, invite);
    this.#calls.set(call, release);
    return call;
  }

  /** A test that is up here, or the report of one that has ended. @throws ApiError `test_not_found` */
  async get(organizationId: string, id: string): Promise<TestReport> {
    const running = [...this.#calls.keys()].find((call) => call.id === id);
    if (running?.organizationId === organizationId) return running.report();
    return this.#options.reports.get(organizationId, id);
  }

  list(organizationId: string, page: Page) {
    return this.#options.reports.list(organizationId, page);
  }

  /** Brings the counters of the calls that are up to `onCounted`. */
  count(): void {
    for (const call of this.#calls.keys()) {
      const stats = call.stats();
      if (stats) this.#options.onCounted(call, stats);
    }
  }

  /** Hangs up. Resolves when BYEs are answered and reports kept; at the latest in time. */
  async close(withinMs: number): Promise<void> {
    for (const call of [...this.#calls.keys()]) call.end('drained');
    const late = new Promise((resolve) => setTimeout(resolve, withinMs).unref());
    await Promise.race([late, Promise.all(this.#closing)]);
  }

  #ended(call: TestCall, settled: Promise<void>): void {
    this.#calls.get(call)?.();
    const done = settled
      .catch((error: unknown) => this.#options.log.error({ test: call.id, err: error }, 'a self-test failed'))
      .finally(() => {
        this.#calls.delete(call);
        this.#closing.delete(done);
      });
    this.#closing.add(done);
  }

  async #keep(organizationId: string, report: TestReport): Promise<void> {
    const { log, metrics, reports } = this.#options;
    const { id, kind, result, sip_call_id: callId } = report;
    metrics.self_tests_total.inc({ kind, result });
    log.info({ test: id, organization: organizationId, call_id: callId, report }, 'self-test');
    await reports.keep(organizationId, report);
  }
}
