import { createServer, type Socket } from 'node:net';
import { type AppSide, DrachtioSession, type SessionSocket } from './drachtio-session.ts';
import type { Faults } from './faults.ts';

/** Applications that may be connected at a time. */
const MAX_CONNECTIONS = 32;
/** ms that a connection has to authenticate. */
const AUTHENTICATE_MS = 5_000;
/** Bytes that wait for an application that does not read; above it its connection is cut. */
const MAX_UNSENT_BYTES = 32 * 1024 * 1024;
const LINGER_MS = 300;

export interface DrachtioServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Listens for applications on loopback, any free port. */
export async function openDrachtioServer(
  side: AppSide,
  secret: string,
  faults: Faults,
): Promise<DrachtioServer> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serve(socket, new DrachtioSession(side, socketOf(socket), secret), faults);
  });
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port: 0 }, resolve);
  });
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : 0,
    async close() {
      // Each socket's own 'close' is waited for: it is then that its pending requests get their answers.
      const closed = [
        new Promise<void>((resolve) => server.close(() => resolve())),
        ...[...sockets].map(
          (socket) => new Promise<void>((resolve) => socket.once('close', () => resolve())),
        ),
      ];
      for (const socket of sockets) socket.end();
      const cut = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, LINGER_MS);
      await Promise.all(closed);
      clearTimeout(cut);
    },
  };
}

function socketOf(socket: Socket): SessionSocket {
  const write = (frame: Buffer): void => {
    // Frames of one turn leave in one segment.
    if (socket.writableCorked === 0) {
      socket.cork();
      process.nextTick(() => socket.uncork());
    }
    socket.write(frame);
    if (socket.writableLength > MAX_UNSENT_BYTES) socket.destroy();
  };
  return { write, end: () => socket.end() };
}

function serve(socket: Socket, session: DrachtioSession, faults: Faults): void {
  const deadline = setTimeout(() => {
    if (!session.authenticated) socket.destroy();
  }, AUTHENTICATE_MS);
  const receive = faults.guard((bytes: Buffer) => session.receive(bytes));
  const closed = faults.guard(() => session.closed());
  socket.on('data', receive);
  socket.on('error', () => {});
  socket.on('close', () => {
    clearTimeout(deadline);
    closed();
  });
}
