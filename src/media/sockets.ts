import { nodeSockets } from './node-socket.ts';
import { OpenFiles } from './open-files.ts';
import type { SocketsKind, UdpSockets } from './udp-pair.ts';

/**
 * The sockets of a media worker: those of the C library where they can be had, those of Node elsewhere.
 * @param wanted undefined leaves the choice
 * @param files of the worker's `OpenFiles`
 * @throws Error when those of the C library are wanted and cannot be had
 */
export async function openSockets(
  wanted: SocketsKind | undefined,
  files: SharedArrayBuffer,
): Promise<UdpSockets> {
  if (wanted === 'node') return nodeSockets;
  try {
    // Only now: where the C library cannot be called, already loading its module fails.
    const { LibcSockets } = await import('./libc-sockets.ts');
    return new LibcSockets(new OpenFiles(files));
  } catch (error) {
    if (wanted === 'libc') throw error;
    return nodeSockets;
  }
}
