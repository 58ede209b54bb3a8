import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ApiError, apiErrors, envelopeOf } from '../errors.ts';
import { newRequestId } from '../ids.ts';

/** What the request line of an upgrade asks for. */
export interface ConnectRequest {
  /** Not checked yet. */
  sessionId: string;
  token: string | undefined;
  role: string | undefined;
}

/** @param url of the request line @returns undefined when it is not `/v1/sessions/{id}/connect` */
export function readConnectRequest(url: string): ConnectRequest | undefined {
  const [path = '', query] = url.split('?', 2);
  const sessionId = /^\/v1\/sessions\/([^/]{1,64})\/connect\/?$/.exec(path)?.[1];
  if (sessionId === undefined) return undefined;
  const parameters = new URLSearchParams(query);
  const parameter = (name: string) => parameters.get(name) ?? undefined;
  return { sessionId, token: parameter('token'), role: parameter('role') };
}

/** A WebSocket is asked for here; everything else is an ordinary request, whatever else its client would upgrade to. */
export const isConnectRequest = ({ url, headers }: IncomingMessage): boolean =>
  headers.upgrade?.toLowerCase() === 'websocket' && readConnectRequest(url ?? '') !== undefined;

/** Answers an upgrade as the REST API answers its errors (contract §9), and closes the connection. */
export function refuseUpgrade(socket: Duplex, error: ApiError): void {
  const { status } = apiErrors[error.code];
  const requestId = newRequestId();
  const body = JSON.stringify(envelopeOf(error, requestId));
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-ID: ${requestId}`,
    ...(error.retryAfter === undefined ? [] : [`Retry-After: ${error.retryAfter}`]),
    'Connection: close',
  ];
  socket.once('finish', () => socket.destroy());
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
