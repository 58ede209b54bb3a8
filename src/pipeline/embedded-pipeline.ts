import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { parseSessionId } from '../ids.ts';
import { rolesOf, sessionModes } from '../roles.ts';
import { verifyToken } from '../session-token.ts';
import { EchoSession } from './echo-session.ts';

const MAX_MESSAGE_BYTES = 1024 * 1024;
const TICK_MS = 10;

export interface EmbeddedPipelineOptions {
  /** `echo`: a party hears itself; `relay`: the parties hear each other. In the one-leg modes the leg hears itself. */
  behaviour: 'echo' | 'relay';
  /** ms from an `audio.input` to its `audio.output`. */
  delayMs: number;
  tokenSecret: string;
  host?: '127.0.0.1';
  /** 0 or absent: any free port. */
  port?: number;
}

/**
 * A pipeline without translation, for development and load tests: a WebSocket server on loopback that speaks the
 * dialect `kallglot` and gives back what it hears (decisions §6).
 * @returns `url`, with `{session_id}` and `{token}` to be filled in
 */
export async function startEmbeddedPipeline(
  options: EmbeddedPipelineOptions,
): Promise<{ url: string; close(): Promise<void> }> {
  const http = createServer((_request, response) => response.writeHead(426).end());
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
    skipUTF8Validation: true,
  });
  const sessions = new Set<EchoSession>();
  http.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    const sessionId = authorize(request, options.tokenSecret);
    if (sessionId === undefined) {
      socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const session = new EchoSession(webSocket, {
        sessionId,
        delayMs: options.delayMs,
        swap: swaps(request, options),
      });
      sessions.add(session);
      webSocket.on('close', () => sessions.delete(session));
    });
  });
  const sendDue = () => {
    const now = performance.now();
    for (const session of sessions) session.sendDue(now);
  };
  const timer = options.delayMs > 0 ? setInterval(sendDue, TICK_MS) : undefined;
  const host = options.host ?? '127.0.0.1';
  const port = await listen(http, options.port ?? 0, host);
  return {
    url: `ws://${host}:${port}/v1/sessions/{session_id}/connect?token={token}`,
    close: async () => {
      clearInterval(timer);
      const closed = new Promise<void>((resolve) => http.close(() => resolve()));
      for (const webSocket of sessions) webSocket.terminate();
      http.closeAllConnections();
      await closed;
    },
  };
}

/** @returns the session that the path names and the token is for, or undefined */
function authorize(request: IncomingMessage, secret: string): string | undefined {
  const url = URL.parse(request.url ?? '', 'ws://embedded');
  const named = /^\/v1\/sessions\/([^/]{1,64})\/connect$/.exec(url?.pathname ?? '')?.[1];
  const sessionId = parseSessionId(named ?? '');
  const granted = verifyToken(secret, url?.searchParams.get('token') ?? '', Date.now());
  return sessionId !== undefined && sessionId === granted ? sessionId : undefined;
}

/** Whether the output names the other role as its speaker, so that it plays back to the party itself. */
function swaps(request: IncomingMessage, options: EmbeddedPipelineOptions): boolean {
  const mode = sessionModes.find((known) => known === request.headers['x-kallglot-mode']);
  const oneLeg = mode !== undefined && rolesOf(mode).length === 1;
  return options.behaviour === 'echo' && !oneLeg;
}

async function listen(server: Server, port: number, host: string): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return (server.address() as AddressInfo).port;
}
