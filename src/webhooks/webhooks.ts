import type { Clock } from '../clock.ts';
import type { Sealer } from '../sealing.ts';
import type { Store } from '../store/store.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { Deliverer } from './deliverer.ts';
import { Deliveries } from './deliveries.ts';
import { WebhookEndpoints } from './endpoints.ts';
import { countBacklog } from './retention.ts';
import { Sender } from './sender.ts';

export interface WebhooksOptions {
  store: Store;
  sealer: Sealer;
  clock: Clock;
  log: Log;
  metrics: Metrics;
  /** The operator allows private targets, and plain HTTP to this machine. */
  allowPrivate: boolean;
}

/** The room's parts, put together: what the API asks, and the delivery behind it. */
export interface Webhooks {
  readonly endpoints: WebhookEndpoints;
  readonly deliveries: Deliveries;
  /** Events have been written: deliver them now. */
  wake(): void;
  close(): Promise<void>;
}

export function createWebhooks(options: WebhooksOptions): Webhooks {
  const { store, metrics } = options;
  const deliverer = new Deliverer({ ...options, sender: new Sender(options) });
  const wake = () => deliverer.wake();
  metrics.beforeScrape(async () => metrics.webhook_backlog.set(await countBacklog(store)));
  return {
    endpoints: new WebhookEndpoints({ ...options, onDue: wake }),
    deliveries: new Deliveries(store, options.clock, wake),
    wake,
    close: () => deliverer.close(),
  };
}
