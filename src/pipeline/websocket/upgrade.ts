import { createHash, randomBytes } from 'node:crypto';
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** The opening handshake of a WebSocket client (RFC 6455 §4.1); its HTTP is node's. No extension, no subprotocol. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/**
 * All connections read into it, one after the other: what is in it has been dealt with before the next read. So nothing
 * is allocated for what comes; a buffer for each read was most of what the garbage collector had to do. A peer that fills
 * it has more to say, and waits until others were read: libuv alone would go on with it for many times as much. It is no
 * larger than what TLS hands over at once.
 */
const received = Buffer.allocUnsafeSlow(16 * 1024);

export interface UpgradeOptions {
  /** ws or wss */
  url: string;
  headers: Readonly<Record<string, string>>;
}

export interface UpgradeHandlers {
  /** @param socket whose bytes are told to `onBytes` */
  onUpgraded(socket: Socket): void;
  /** What came behind the handshake. @param bytes valid until it returns */
  onBytes(bytes: Buffer): void;
  /** The answer was another than the upgrade. */
  onRefused(status: number): void;
  onFailed(detail: string): void;
  /** After any of the failures, and when it was destroyed before it came to anything. */
  onClosed(): void;
}

/** @throws when the URL or a header cannot be sent */
export function upgrade({ url, headers }: UpgradeOptions, handlers: UpgradeHandlers): ClientRequest {
  const key = randomBytes(16).toString('base64');
  let isUpgraded = false;
  const request = requestTo(new URL(url), {
    headers: {
      ...headers,
      ...{ 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': key },
      ...{ Connection: 'Upgrade', Upgrade: 'websocket' },
    },
    onBytes: (bytes, socket) => {
      // Before the upgrade it is HTTP, and node's to read.
      if (isUpgraded) handlers.onBytes(bytes);
      else socket.push(Buffer.from(bytes));
    },
  });
  request.on('error', (error: Error & { code?: string }) =>
    handlers.onFailed(error.message || error.code || error.name),
  );
  request.on('response', ({ statusCode = 0 }) => {
    handlers.onRefused(statusCode);
    request.destroy();
  });
  request.on('upgrade', (response, socket: Socket, head) => {
    const problem = problemOf(response, key);
    if (problem !== undefined) {
      handlers.onFailed(problem);
      socket.destroy();
      return;
    }
    isUpgraded = true;
    takeOver(socket, head, handlers);
  });
  request.on('close', () => {
    if (!isUpgraded) handlers.onClosed();
  });
  request.end();
  return request;
}

function takeOver(socket: Socket, head: Buffer, handlers: UpgradeHandlers): void {
  socket.setNoDelay();
  handlers.onUpgraded(socket);
  if (head.length > 0) handlers.onBytes(head);
  // Bytes do not come this way any more, but the end of them does.
  socket.resume();
}

interface RequestSettings {
  headers: Record<string, string>;
  onBytes: (bytes: Buffer, socket: Socket) => void;
}

function requestTo(url: URL, { headers, onBytes }: RequestSettings): ClientRequest {
  const { protocol, hostname, pathname, search, username, password } = url;
  if (protocol !== 'ws:' && protocol !== 'wss:')
    throw new SyntaxError(`not an address of a WebSocket: ${protocol}`);
  const host = hostname.replace(/^\[|\]$/g, '');
  const isSecure = protocol === 'wss:';
  // Node cannot tell it from the scheme here, and writes every other port into `Host`.
  const defaultPort = isSecure ? 443 : 80;
  const port = Number(url.port) || defaultPort;
  const createConnection = (): Socket => {
    const onread = {
      buffer: received,
      callback: (length: number) => {
        onBytes(received.subarray(0, length), socket);
        if (length < received.length) return true;
        setImmediate(() => socket.resume());
        return false;
      },
    };
    const options = { host, port, onread };
    const socket: Socket = isSecure
      ? connectTls({ ...options, servername: isIP(host) ? '' : host })
      : connectTcp(options);
    return socket;
  };
  return (isSecure ? httpsRequest : httpRequest)({
    ...{ host, port, defaultPort, path: pathname + search, headers, createConnection },
    auth:
      username + password === ''
        ? undefined
        : `${decodeURIComponent(username)}:${decodeURIComponent(password)}`,
  });
}

/** @returns what is wrong with the answer, if anything */
function problemOf({ headers }: IncomingMessage, key: string): string | undefined {
  if (headers.upgrade?.toLowerCase() !== 'websocket') return 'Invalid Upgrade header';
  const accept = createHash('sha1')
    .update(key + GUID)
    .digest('base64');
  if (headers['sec-websocket-accept'] !== accept) return 'Invalid Sec-WebSocket-Accept header';
  if (headers['sec-websocket-protocol'] !== undefined)
    return 'Server sent a subprotocol but none was requested';
  if (headers['sec-websocket-extensions'] !== undefined)
    return 'Server sent an extension but none was requested';
  return undefined;
}
