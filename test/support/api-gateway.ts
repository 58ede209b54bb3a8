import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '../../src/store/store.ts';
import { addApiOrganizations } from './api-organizations.ts';
import { TestGateway, type TestGatewayOptions } from './gateway.ts';

/** Keys of the organizations of `startApiGateway`. */
export const keys = { portal: 'sk_test_portal_0123456789', stranger: 'sk_test_stranger_0123456789' };

/** A test gateway with organizations that manage their settings by the API, beside those of its configuration. */
export async function startApiGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const folder = mkdtempSync(join(tmpdir(), 'test-gateway-'));
  const store = await openStore(`sqlite:${join(folder, 'test.db')}`, 0);
  await addApiOrganizations(store, keys);
  await store.close();
  return TestGateway.start({ ...options, folder });
}
