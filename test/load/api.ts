import { fork } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { GatewayProcess } from '../support/gateway-process.ts';
import { Histogram } from './histogram.ts';
import type { HeldCallsJob, HeldCallsResult, Report, Target } from './load-job.ts';

/**
 * `node test/load/api.ts`: how many sessions per second `POST /v1/sessions` makes, on disk for good, and what that does
 * to the audio of calls that are up meanwhile. It measures and prints. Gateway and callers are a process each.
 */
const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '100' },
    seconds: { type: 'string', default: '15' },
    clients: { type: 'string', default: '16' },
    rate: { type: 'string', default: '0' },
  },
});
const [calls, seconds, clients, rate] = [values.calls, values.seconds, values.clients, values.rate].map(
  Number,
) as [number, number, number, number];

const apiKey = 'sk_test_load_0123456789';
const NO_LIMIT = 1_000_000;
const AIM_JITTER_MS = 2;

interface Creates {
  made: number;
  failed: number;
  tookMs: number;
  times: Histogram;
}

/** Creates sessions until it is stopped: as fast as the clients get answers, or `rate` per second in all. */
function createSessions({ apiUrl }: Target): { stop: () => Promise<Creates> } {
  const startedAt = performance.now();
  const creates: Creates = { made: 0, failed: 0, tookMs: 0, times: new Histogram() };
  let [stopped, next] = [false, 0];
  const client = async () => {
    while (!stopped) {
      const due = rate > 0 ? startedAt + (next++ * 1000) / rate : 0;
      const wait = due - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      await createOne(apiUrl, creates);
    }
  };
  const running = Array.from({ length: clients }, client);
  return {
    stop: async () => {
      creates.tookMs = performance.now() - startedAt;
      const { made } = creates;
      stopped = true;
      await Promise.all(running);
      return { ...creates, made };
    },
  };
}

async function createOne(apiUrl: string, creates: Creates): Promise<void> {
  const sentAt = performance.now();
  const response = await fetch(`${apiUrl}/v1/sessions`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${apiKey}`, 'Content-Type': 'application/json' },
    body: '{"mode":"bidirectional_translation","routing":{"type":"sip"},"source_language":"en","target_language":"es"}',
  });
  await response.text();
  if (response.status !== 201) {
    creates.failed++;
    return;
  }
  creates.made++;
  creates.times.add(performance.now() - sentAt);
}

/** Holds the calls in a process of their own, for one measured interval. @param during is told when it begins and ends */
function holdCalls(
  target: Target,
  during: { begins: () => void; over: () => void },
): Promise<HeldCallsResult> {
  const job: HeldCallsJob = { kind: 'held calls', target, calls, warmUpSeconds: 3, seconds };
  const generator = fork(join(import.meta.dirname, 'generator.ts'), [JSON.stringify(job)], { execArgv: [] });
  return new Promise((resolve, reject) => {
    generator.on('message', (report: Report) => {
      if (report.type === 'result') resolve(report.result as HeldCallsResult);
      else if (report.type === 'failed') reject(new Error(report.reason));
      else if (report.type !== 'mark') during[report.type]();
    });
    generator.once('error', reject);
    generator.once('exit', (code) => reject(new Error(`the generator ended too early, with ${code}`)));
  });
}

const ms = (value: number) => value.toFixed(1);

function callsLine(when: string, { held, sent, returned, jitter, generatorLate }: HeldCallsResult): string {
  return (
    `  calls ${when}: ${held} held, ${returned} of ${sent} packets back, jitter p50 ${ms(jitter.p50)} ms, ` +
    `p99 ${ms(jitter.p99)} ms (the generator itself: p99 ${ms(generatorLate.p99)} ms)`
  );
}

const settings = {
  sip: { listen: ['udp:127.0.0.1:0'] },
  api: {
    listen: '127.0.0.1:0',
    rate_limit: { requests_per_minute: NO_LIMIT, session_creates_per_minute: NO_LIMIT },
  },
  media: { address: '127.0.0.1' },
  organizations: [
    {
      id: 'load',
      name: 'Load',
      api_keys: [apiKey],
      sip: { allowed_ips: ['127.0.0.1'], concurrency_limit: 2 * calls },
    },
  ],
};

const gateway = GatewayProcess.start({ by: 'node', settings });
try {
  const { api, sip } = await gateway.ready();
  const [, host = '', port] = /^udp\/(.+):(\d+)$/.exec(sip[0] ?? '') ?? [];
  const target = { apiUrl: api, apiKey, sip: { host, port: Number(port) } };

  const before = await holdCalls(target, { begins: () => undefined, over: () => undefined });
  let creating: ReturnType<typeof createSessions> | undefined;
  let creates: Promise<Creates> | undefined;
  const during = await holdCalls(target, {
    begins: () => {
      creating = createSessions(target);
    },
    over: () => {
      creates = creating?.stop();
    },
  });
  const { made, failed, tookMs, times } = (await creates) as Creates;

  const wish = rate > 0 ? `${rate} per second` : `${clients} clients`;
  console.log(
    [
      `POST /v1/sessions for ${seconds} s (${wish}), SQLite with durable commits, ${calls} calls with RTP up:`,
      `  ${((made * 1000) / tookMs).toFixed(0)} per second, p50 ${ms(times.percentile(0.5))} ms, p99 ${ms(times.percentile(0.99))} ms, ${failed} failed`,
      callsLine('before', before),
      callsLine('during', during),
      `  p99 jitter worsened by ${ms(during.jitter.p99 - before.jitter.p99)} ms; the aim is at most ${AIM_JITTER_MS} ms`,
    ].join('\n'),
  );
} finally {
  await gateway.stop();
}
