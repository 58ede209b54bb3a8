import type { Socket } from 'node:dgram';

/**
 * Receive buffers of RTP sockets. Asked for, not insisted on: seconds of RTP, so that a stall of this process loses no
 * speech. It is what Linux grants where nobody has set `net.core.rmem_max`; more than the inbound ring holds would be
 * of no use.
 */
export const RECEIVE_BUFFER_BYTES = 208 * 1024;

/** @param socket bound @returns what the system gave: bytes, and whether that is less than was asked for */
export function askForReceiveBuffer(socket: Socket): { bytes: number; asked: number; isLess: boolean } {
  const asked = RECEIVE_BUFFER_BYTES;
  try {
    socket.setRecvBufferSize(asked);
  } catch {
    // The system's own size has to do.
  }
  const reported = socket.getRecvBufferSize();
  // Linux doubles what it is asked for, for its own bookkeeping, and reports that (socket(7)).
  const bytes = process.platform === 'linux' ? reported / 2 : reported;
  return { bytes, asked, isLess: bytes < asked };
}
