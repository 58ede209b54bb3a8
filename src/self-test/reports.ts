import { ApiError } from '../api-errors.ts';
import { type Page, readPage } from '../store/page.ts';
import type { Store } from '../store/store.ts';
import type { TestReport } from './report.ts';

/** The newest of an organization are kept, for so long. */
const KEPT_MOST = 100;
const KEPT_MS = 30 * 24 * 3_600_000;

/** Reports of self-tests in the store. */
export class TestReports {
  readonly #store: Store;
  readonly #now: () => number;

  constructor(store: Store, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  /** Keeps a report, and forgets the oldest. @throws StoreUnavailable */
  async keep(organizationId: string, report: TestReport): Promise<void> {
    await this.#store.write(async (transaction) => {
      await transaction
        .insertInto('sip_tests')
        .values({
          id: report.id,
          organization_id: organizationId,
          ended_at: this.#now(),
          report: JSON.stringify(report),
        })
        .execute();
      await transaction
        .deleteFrom('sip_tests')
        .where('ended_at', '<', this.#now() - KEPT_MS)
        .execute();
      const surplus = await transaction
        .selectFrom('sip_tests')
        .select('id')
        .where('organization_id', '=', organizationId)
        .orderBy('id', 'desc')
        .limit(KEPT_MOST)
        .offset(KEPT_MOST)
        .execute();
      if (surplus.length === 0) return;
      const ids = surplus.map(({ id }) => id);
      await transaction.deleteFrom('sip_tests').where('id', 'in', ids).execute();
    });
  }

  /** @throws ApiError `test_not_found`, for another organization's test too */
  async get(organizationId: string, id: string): Promise<TestReport> {
    const row = await this.#kept(organizationId).where('id', '=', id).executeTakeFirst();
    if (row === undefined) throw new ApiError('test_not_found');
    return JSON.parse(row.report) as TestReport;
  }

  async list(organizationId: string, page: Page) {
    const { rows, hasMore } = await readPage(this.#kept(organizationId), 'id', page);
    return { reports: rows.map((row) => JSON.parse(row.report) as TestReport), hasMore };
  }

  #kept(organizationId: string) {
    return this.#store.db
      .selectFrom('sip_tests')
      .select('report')
      .where('organization_id', '=', organizationId)
      .where('ended_at', '>=', this.#now() - KEPT_MS);
  }
}
