import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { runSipp, type SippResult } from '../support/sipp.ts';
import type { KitOptions } from './kit-options.ts';
import { inParallel } from './pace.ts';
import { request } from './rest.ts';

/** What set-up and hang-up may take beside the call, s. */
const SPARE_SECONDS = 60;
const READ_AT_ONCE = 8;
const MOST_READS = 10;
const READ_AGAIN_MS = 300;

/** A leg of a session as `GET /v1/sessions/{id}/calls` tells of it; null: nobody has measured it. */
export interface KitCall {
  status: string;
  reason: string | null;
  setup_ms: number | null;
  quality: {
    packets_received: number;
    packets_lost: number;
    packets_late: number;
    packets_dropped: number;
    jitter_ms: number | null;
    mos: number | null;
    to_pipeline_ms: { p99: number } | null;
    from_pipeline_ms: { p99: number } | null;
  };
}

/** SIPp calls the users in turn, each call with speech for so long. @throws Error when SIPp does not start */
export async function callAll(
  { target, transport, calls, perSecond, callSeconds, auth }: KitOptions,
  users: readonly string[],
  signal: AbortSignal,
): Promise<SippResult> {
  return runSipp({
    scenario: 'uac-speech',
    folder: new URL('scenarios/', import.meta.url),
    target,
    users,
    count: calls,
    rate: perSecond,
    concurrent: Math.min(calls, Math.ceil(perSecond * (callSeconds + SPARE_SECONDS))),
    transport: transport === 'udp' ? 'u1' : 't1',
    pauseMs: callSeconds * 1000,
    localAddress: await addressTowards(target),
    timeoutSeconds: Math.ceil(calls / perSecond) + callSeconds + SPARE_SECONDS,
    signal,
    ...(auth && { auth }),
  });
}

/** Ours, by which packets leave for there. */
async function addressTowards(target: string): Promise<string> {
  const [host, port] = target.split(':');
  const socket = createSocket('udp4');
  socket.connect(Number(port), host);
  await once(socket, 'connect');
  const { address } = socket.address();
  socket.close();
  return address;
}

type Api = Readonly<{ apiUrl: string; apiKey: string }>;

/** What the gateway tells of the calls of these sessions. @throws Error when it does not */
export async function readCalls(api: Api, sessionIds: readonly string[]): Promise<KitCall[]> {
  const calls: KitCall[] = [];
  await inParallel(sessionIds.length, READ_AT_ONCE, async (i) => {
    calls.push(...(await endedCalls(api, sessionIds[i] as string)));
  });
  return calls;
}

/** The record of a call is complete a moment after its BYE; one that is still up then is told of as it is. */
async function endedCalls(api: Api, sessionId: string): Promise<KitCall[]> {
  for (let tries = 1; ; tries++) {
    const { data } = await request<{ data: KitCall[] }>(api, 'GET', `/v1/sessions/${sessionId}/calls`);
    if (tries === MOST_READS || data.every(({ status }) => status === 'ended')) return data;
    await sleep(READ_AGAIN_MS);
  }
}
