import type { IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemClock as clock } from '../../src/clock.ts';
import { newSessionId } from '../../src/ids.ts';
import { Streams, type StreamsOptions } from '../../src/streams/streams.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts';

const sessionId = newSessionId();
const log = createLog('silent');
let metrics: Metrics;
let streams: Streams;

beforeEach(() => {
  metrics = createMetrics();
  streams = new Streams({
    ...{ metrics, log, clock, tokenSecret: 'a secret of the test' },
    bridges: {} as StreamsOptions['bridges'],
    sessions: {} as StreamsOptions['sessions'],
    organizationOf: () => undefined,
    unavailable: () => undefined,
    assertStore: () => undefined,
  });
});
afterEach(async () => {
  await streams.close();
  metrics.close();
  vi.restoreAllMocks();
});

/** Asks for a WebSocket. @returns the answer's first line, once the connection is closed */
async function ask(url: string): Promise<string> {
  const answer: Buffer[] = [];
  const socket = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      answer.push(chunk);
      done();
    },
  });
  const closed = new Promise((resolve) => socket.on('close', resolve));
  const request = { url, method: 'GET', headers: {}, socket: { remoteAddress: '::ffff:192.0.2.1' } };
  streams.upgrade(request as IncomingMessage, socket, Buffer.alloc(0));
  await closed;
  return Buffer.concat(answer).toString().split('\r\n')[0] as string;
}

test('who is refused is written down, without the token', async () => {
  const info = vi.spyOn(log, 'info');
  expect(await ask(`/v1/sessions/${sessionId}/connect?token=kst_live_secret`)).toBe(
    'HTTP/1.1 401 Unauthorized',
  );
  expect(info).toHaveBeenCalledTimes(1);
  expect(info.mock.calls[0]?.[0]).toEqual({
    session: sessionId,
    source: '192.0.2.1',
    code: 'invalid_token',
  });
  expect(await metrics.scrape()).toContain('kallglot_stream_refusals_total{code="invalid_token"} 1');
});

test('a gateway that has closed its streams lets in no stranger', async () => {
  await streams.close();
  expect(await ask(`/v1/sessions/${sessionId}/connect`)).toBe('HTTP/1.1 503 Service Unavailable');
});
