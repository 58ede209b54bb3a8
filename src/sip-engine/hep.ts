import { isIPv6 } from 'node:net';
import { addressBytes } from '../address-bytes.ts';
import { masked } from './mask.ts';
import type { WireMessage } from './wire-message.ts';

/** How a Homer server knows us. */
export interface HepAgent {
  captureId: number;
  /** What the server asks for, where it does. */
  password?: string;
}

/** Chunk types of the generic vendor, 0. */
const types = {
  family: 1,
  protocol: 2,
  sourceIpv4: 3,
  destinationIpv4: 4,
  sourceIpv6: 5,
  destinationIpv6: 6,
  sourcePort: 7,
  destinationPort: 8,
  seconds: 9,
  microseconds: 10,
  payloadType: 11,
  captureId: 12,
  password: 14,
  payload: 15,
} as const;

const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
const PAYLOAD_SIP = 1;

/**
 * One message as a packet of the Homer Encapsulation Protocol, version 3: `HEP3`, the length of all, then chunks. TLS
 * counts as TCP; secrets are masked.
 * @param micros wall clock, microseconds
 */
export function encodeHep(message: WireMessage, micros: number, agent: HepAgent): Buffer {
  const { direction, local, remote, transport } = message;
  const [source, destination] = direction === 'in' ? [remote, local] : [local, remote];
  const sixth = isIPv6(remote.address);
  const payload = Buffer.from(masked(message.text), 'latin1');
  const password = Buffer.from(agent.password ?? '');
  const packet = new Packet(payload.length + password.length);
  packet.number(types.family, sixth ? AF_INET6 : AF_INET, 1);
  packet.number(types.protocol, transport === 'udp' ? IPPROTO_UDP : IPPROTO_TCP, 1);
  packet.bytes(sixth ? types.sourceIpv6 : types.sourceIpv4, addressBytes(source.address, sixth));
  packet.bytes(
    sixth ? types.destinationIpv6 : types.destinationIpv4,
    addressBytes(destination.address, sixth),
  );
  packet.number(types.sourcePort, source.port, 2);
  packet.number(types.destinationPort, destination.port, 2);
  packet.number(types.seconds, Math.floor(micros / 1e6), 4);
  packet.number(types.microseconds, micros % 1e6, 4);
  packet.number(types.payloadType, PAYLOAD_SIP, 1);
  packet.number(types.captureId, agent.captureId, 4);
  if (password.length > 0) packet.bytes(types.password, password);
  packet.bytes(types.payload, payload);
  return packet.finish();
}

/** Bytes of head and chunks without password and payload: 128 with two IPv6 addresses. */
const MOST_FIXED = 160;

class Packet {
  readonly #bytes: Buffer;
  #length = 6;

  constructor(variable: number) {
    this.#bytes = Buffer.allocUnsafe(MOST_FIXED + variable);
    this.#bytes.write('HEP3', 0, 'latin1');
  }

  number(type: number, value: number, size: 1 | 2 | 4): void {
    this.#head(type, size);
    this.#length = this.#bytes.writeUIntBE(value, this.#length, size);
  }

  bytes(type: number, value: Uint8Array): void {
    this.#head(type, value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /** The packet, which knows its length. */
  finish(): Buffer {
    this.#bytes.writeUInt16BE(this.#length, 4);
    return this.#bytes.subarray(0, this.#length);
  }

  /** Vendor, type, and the length of the chunk with these three. */
  #head(type: number, size: number): void {
    this.#bytes.writeUInt16BE(0, this.#length);
    this.#bytes.writeUInt16BE(type, this.#length + 2);
    this.#bytes.writeUInt16BE(size + 6, this.#length + 4);
    this.#length += 6;
  }
}
