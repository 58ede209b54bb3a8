import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

export interface InviteFloodOptions {
  /** A loopback address of its own. */
  from: string;
  host: string;
  port: number;
  /** INVITEs in all, and in a second; it stops by itself. */
  count: number;
  perSecond: number;
}

/** Floods a gateway from a thread of its own. Resolves when all was sent, with how many datagrams came back meanwhile. */
export async function floodWithInvites(options: InviteFloodOptions): Promise<{ answers: number }> {
  const worker = new Worker(new URL('./invite-flood-worker.ts', import.meta.url), { workerData: options });
  const [result] = (await once(worker, 'message')) as [{ answers: number }];
  await worker.terminate();
  return result;
}
