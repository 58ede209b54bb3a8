import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { isConnectRequest, readConnectRequest } from '../../src/streams/upgrade.ts';

test.each([
  ['/v1/sessions/sess_1/connect', { sessionId: 'sess_1', token: undefined, role: undefined }],
  ['/v1/sessions/sess_1/connect/', { sessionId: 'sess_1', token: undefined, role: undefined }],
  [
    '/v1/sessions/sess_1/connect?token=a%2Bb&role=agent',
    { sessionId: 'sess_1', token: 'a+b', role: 'agent' },
  ],
  ['/v1/sessions/sess_1/connect?token=%', { sessionId: 'sess_1', token: '%', role: undefined }],
  ['/v1/sessions/sess_1/connected', undefined],
  ['/v1/sessions//connect', undefined],
  ['/v1/sessions/sess_1', undefined],
  [`/v1/sessions/${'x'.repeat(65)}/connect`, undefined],
])('%s', (url, wanted) => {
  expect(readConnectRequest(url)).toEqual(wanted);
});

test('only a WebSocket to a session is an upgrade of ours', () => {
  const request = (url: string, upgrade?: string) =>
    ({ url, headers: { upgrade } }) as unknown as IncomingMessage;
  expect(isConnectRequest(request('/v1/sessions/sess_1/connect', 'WebSocket'))).toBe(true);
  expect(isConnectRequest(request('/v1/sessions/sess_1/connect', 'h2c'))).toBe(false);
  expect(isConnectRequest(request('/v1/sessions/sess_1/connect'))).toBe(false);
  expect(isConnectRequest(request('/v1/sessions', 'websocket'))).toBe(false);
});
