import { dlopen, getRawPointer, toBuffer } from 'node:ffi';
import { getSystemErrorName } from 'node:util';
import { AF_INET, AF_INET6, MAX_SOCKET_ADDRESS_BYTES } from './socket-address.ts';

/**
 * The calls of the C library that sockets need, through `node:ffi`, with the constants of Linux on x86-64 and AArch64
 * (the generic ones of its headers). A call that takes at most three arguments compiles to little more than the call
 * itself; from four on it costs about 1 us more. Pointers go to buffers that live as long as the module.
 */

/** With SOCK_NONBLOCK and SOCK_CLOEXEC. */
const SOCK_DGRAM = 2 | 0x800 | 0x80000;
const EPOLL_CLOEXEC = 0x80000;
const EPOLL_CTL_ADD = 1;
const EPOLLIN = 1;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const EAGAIN = 11;

/** Above the largest UDP payload, so that nothing is cut short unseen. */
const DATAGRAM_BYTES = 65_536;
/** Sockets that one `wait` tells of. */
const MOST_READY = 256;
/** `struct epoll_event` is packed on x86-64 alone; in words of 32 bits. */
const EVENT_WORDS = process.arch === 'x64' ? 3 : 4;
const DATA_WORD = process.arch === 'x64' ? 1 : 2;

/** @throws Error where the C library cannot be called in this way */
function load() {
  const isKnown = process.platform === 'linux' && (process.arch === 'x64' || process.arch === 'arm64');
  if (!isKnown) throw new Error(`not on ${process.platform}-${process.arch}`);
  // A result of at most 64 KiB, or -1, is whole in the lower half of what `ssize_t` returns.
  return dlopen(null, {
    socket: { return: 'i32', arguments: ['i32', 'i32', 'i32'] },
    bind: { return: 'i32', arguments: ['i32', 'pointer', 'u32'] },
    connect: { return: 'i32', arguments: ['i32', 'pointer', 'u32'] },
    setsockopt: { return: 'i32', arguments: ['i32', 'i32', 'i32', 'pointer', 'u32'] },
    close: { return: 'i32', arguments: ['i32'] },
    read: { return: 'i32', arguments: ['i32', 'pointer', 'u64'] },
    write: { return: 'i32', arguments: ['i32', 'pointer', 'u64'] },
    recvfrom: { return: 'i32', arguments: ['i32', 'pointer', 'u64', 'i32', 'pointer', 'pointer'] },
    sendto: { return: 'i32', arguments: ['i32', 'pointer', 'u64', 'i32', 'pointer', 'u32'] },
    epoll_create1: { return: 'i32', arguments: ['i32'] },
    epoll_ctl: { return: 'i32', arguments: ['i32', 'i32', 'i32', 'pointer'] },
    epoll_wait: { return: 'i32', arguments: ['i32', 'pointer', 'i32', 'i32'] },
    __errno_location: { return: 'pointer', arguments: [] },
  });
}

/** Held as long as the module is: a library that is let go of takes its functions along. */
const library = load();
const c = library.functions;

/** What was read last. */
const received = Buffer.alloc(DATAGRAM_BYTES);
/** Views of it by length, made as lengths come up: no packet allocates one. */
const receivedOf: Buffer[] = [];
const sent = Buffer.alloc(DATAGRAM_BYTES);
const address = Buffer.alloc(MAX_SOCKET_ADDRESS_BYTES);
const words = new Int32Array(2);
const events = new Int32Array(EVENT_WORDS * MOST_READY);
const pointer = {
  received: getRawPointer(received),
  sent: getRawPointer(sent),
  address: getRawPointer(address),
  words: getRawPointer(words),
  events: getRawPointer(events),
};
const RECEIVED_SIZE = BigInt(DATAGRAM_BYTES);
/** By length, as `size_t`. */
const sizeOf: bigint[] = [];
// Where this thread keeps its error number; threads have a copy of this module each.
const errno = toBuffer(c.__errno_location(), 4, false);

/** The system refused a call; `code` as Node has it: `EADDRINUSE`. */
function failure(syscall: string): NodeJS.ErrnoException {
  const number = -errno.readInt32LE(0);
  const code = getSystemErrorName(number);
  return Object.assign(new Error(`${syscall} ${code}`), { code, errno: number, syscall });
}

function checked(result: number, syscall: string): number {
  if (result < 0) throw failure(syscall);
  return result;
}

function put(socketAddress: Uint8Array): number {
  address.set(socketAddress);
  return socketAddress.length;
}

function putPacket(packet: Uint8Array): bigint {
  sent.set(packet);
  const { length } = packet;
  sizeOf[length] ??= BigInt(length);
  return sizeOf[length];
}

/** @returns the file descriptor of a UDP socket that does not block. @throws the system's error */
export function openSocket(family: 4 | 6): number {
  return checked(c.socket(family === 6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0), 'socket');
}

/** @throws the system's error */
export function bindSocket(socket: number, to: Uint8Array): void {
  checked(c.bind(socket, pointer.address, put(to)), 'bind');
}

/** @param to AF_UNSPEC (zeros) takes the peer away again. @throws the system's error */
export function connectSocket(socket: number, to: Uint8Array): void {
  checked(c.connect(socket, pointer.address, put(to)), 'connect');
}

/** Asked for, not insisted on. */
export function askForReceiveBytes(socket: number, bytes: number): void {
  words[0] = bytes;
  c.setsockopt(socket, SOL_SOCKET, SO_RCVBUF, pointer.words, 4);
}

export function closeFile(file: number): void {
  c.close(file);
}

/** Nothing is there to be read, or room to write. */
export const WOULD_BLOCK = -1;
/** The system tells of an error of the socket. */
export const FAILED = -2;

function outcome(result: number): number {
  if (result >= 0) return result;
  return errno.readInt32LE(0) === EAGAIN ? WOULD_BLOCK : FAILED;
}

/** Takes a datagram of a connected socket. @returns its length in bytes, `WOULD_BLOCK` or `FAILED`; see `datagram` */
export function readSocket(socket: number): number {
  return outcome(c.read(socket, pointer.received, RECEIVED_SIZE));
}

/** The same of any socket; see `source` as well. */
export function readSocketFrom(socket: number): number {
  words[0] = MAX_SOCKET_ADDRESS_BYTES;
  return outcome(c.recvfrom(socket, pointer.received, RECEIVED_SIZE, 0, pointer.address, pointer.words));
}

/** What was read last, until the next is. @param length as it was returned */
export function datagram(length: number): Buffer {
  receivedOf[length] ??= received.subarray(0, length);
  return receivedOf[length];
}

/** Where it came from, until the next call that has to do with an address. */
export const source: Buffer = address;

/** Sends to the peer of a connected socket. @returns bytes sent, `WOULD_BLOCK` or `FAILED` */
export function writeSocket(socket: number, packet: Uint8Array): number {
  return outcome(c.write(socket, pointer.sent, putPacket(packet)));
}

/** Sends to an address. */
export function writeSocketTo(socket: number, packet: Uint8Array, to: Uint8Array): number {
  return outcome(c.sendto(socket, pointer.sent, putPacket(packet), 0, pointer.address, put(to)));
}

/** @returns the file descriptor of a set of sockets that are waited for together. @throws the system's error */
export function openPoll(): number {
  return checked(c.epoll_create1(EPOLL_CLOEXEC), 'epoll_create1');
}

/** Until it is closed `poll` tells of the socket while it has something to read, or an error. @throws the system's error */
export function addToPoll(poll: number, socket: number): void {
  events[0] = EPOLLIN;
  events[DATA_WORD] = socket;
  checked(c.epoll_ctl(poll, EPOLL_CTL_ADD, socket, pointer.events), 'epoll_ctl');
}

/** Does not wait. @returns how many sockets are ready, at most 256; see `ready` */
export function pollSockets(poll: number): number {
  return Math.max(0, c.epoll_wait(poll, pointer.events, MOST_READY, 0));
}

/** A socket that the last `pollSockets` told of. */
export function ready(index: number): number {
  return events[index * EVENT_WORDS + DATA_WORD] as number;
}
