import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';

/**
 * SRTP of the test phone (RFC 3711, RFC 7714, RFC 4568), by the book and without a thought for speed. It shares no code
 * with the gateway; packets of libsrtp check it.
 */
export type Suite =
  | 'AES_CM_128_HMAC_SHA1_80'
  | 'AES_CM_128_HMAC_SHA1_32'
  | 'AEAD_AES_128_GCM'
  | 'AEAD_AES_256_GCM';

/** `a=crypto:TAG SUITE inline:KEY`; the key is base64. */
export interface CryptoLine {
  tag: number;
  suite: Suite;
  key: string;
}

const keyBytes: Readonly<Record<Suite, { key: number; salt: number; tag: number }>> = {
  AES_CM_128_HMAC_SHA1_80: { key: 16, salt: 14, tag: 10 },
  AES_CM_128_HMAC_SHA1_32: { key: 16, salt: 14, tag: 4 },
  AEAD_AES_128_GCM: { key: 16, salt: 12, tag: 16 },
  AEAD_AES_256_GCM: { key: 32, salt: 12, tag: 16 },
};

export const newKey = (suite: Suite): string =>
  randomBytes(keyBytes[suite].key + keyBytes[suite].salt).toString('base64');

/** Every a=crypto of the first audio line of which we know the suite. */
export function cryptoLines(sdp: string): CryptoLine[] {
  const audio = sdp.split(/^m=/m).find((part) => part.startsWith('audio ') && !part.startsWith('audio 0 '));
  return [...(audio ?? '').matchAll(/^a=crypto:(\d+) (\S+) inline:([A-Za-z0-9+/=]+)/gm)].flatMap((match) => {
    const [, tag, suite = '', key = ''] = match;
    return suite in keyBytes ? [{ tag: Number(tag), suite: suite as Suite, key }] : [];
  });
}

interface Session {
  key: Buffer;
  salt: Buffer;
  auth: Buffer;
}

/** One direction of a stream: counts rollovers, protects or opens. It knows nothing of replays: that is our test. */
export class Srtp {
  readonly #suite: Suite;
  readonly #rtp: Session;
  readonly #rtcp: Session;
  /** Highest index by SSRC. */
  readonly #highest = new Map<number, number>();
  #rtcpIndex = 1;

  constructor(suite: Suite, inline: string) {
    this.#suite = suite;
    const master = Buffer.from(inline, 'base64');
    const { key, salt } = keyBytes[suite];
    const derive = (label: number, bytes: number): Buffer => {
      const iv = Buffer.concat([master.subarray(key, key + salt), Buffer.alloc(16 - salt)]);
      iv[7]! ^= label;
      return createCipheriv(`aes-${key * 8}-ctr`, master.subarray(0, key), iv).update(Buffer.alloc(bytes));
    };
    this.#rtp = { key: derive(0, key), auth: derive(1, 20), salt: derive(2, salt) };
    this.#rtcp = { key: derive(3, key), auth: derive(4, 20), salt: derive(5, salt) };
  }

  protect(packet: Buffer): Buffer {
    const index = this.#indexOf(packet);
    const start = headerOf(packet);
    const [header, payload] = [packet.subarray(0, start), packet.subarray(start)];
    const ssrc = packet.subarray(8, 12);
    if (this.#isGcm) return Buffer.concat([header, this.#seal(this.#rtp, ssrc, index, header, payload)]);
    const body = Buffer.concat([header, this.#counter(this.#rtp, ssrc, index, payload)]);
    return Buffer.concat([body, this.#tag(this.#rtp, body, rollover(index))]);
  }

  /** @returns the RTP packet, or undefined when it is not authentic */
  open(packet: Buffer): Buffer | undefined {
    const start = headerOf(packet);
    const end = packet.length - keyBytes[this.#suite].tag;
    if (end < start) return undefined;
    const index = this.#indexOf(packet);
    const header = packet.subarray(0, start);
    const ssrc = packet.subarray(8, 12);
    if (this.#isGcm) {
      const plain = this.#unseal(this.#rtp, ssrc, index, header, packet.subarray(start));
      return plain && Buffer.concat([header, plain]);
    }
    const body = packet.subarray(0, end);
    if (!this.#tag(this.#rtp, body, rollover(index)).equals(packet.subarray(end))) return undefined;
    return Buffer.concat([header, this.#counter(this.#rtp, ssrc, index, body.subarray(start))]);
  }

  protectRtcp(packet: Buffer): Buffer {
    const index = this.#rtcpIndex++;
    const word = Buffer.alloc(4);
    word.writeUInt32BE(0x8000_0000 + index);
    const [header, payload] = [packet.subarray(0, 8), packet.subarray(8)];
    const ssrc = packet.subarray(4, 8);
    if (this.#isGcm) {
      const clear = Buffer.concat([header, word]);
      return Buffer.concat([header, this.#seal(this.#rtcp, ssrc, index, clear, payload), word]);
    }
    const body = Buffer.concat([header, this.#counter(this.#rtcp, ssrc, index, payload), word]);
    const tag = createHmac('sha1', this.#rtcp.auth).update(body).digest().subarray(0, 10);
    return Buffer.concat([body, tag]);
  }

  /** @returns the RTCP packet, or undefined when it is not authentic; it has to be encrypted */
  openRtcp(packet: Buffer): Buffer | undefined {
    const header = packet.subarray(0, 8);
    const ssrc = packet.subarray(4, 8);
    if (this.#isGcm) {
      const [sealed, word] = [packet.subarray(8, -4), packet.subarray(-4)];
      const clear = Buffer.concat([header, word]);
      const plain = this.#unseal(this.#rtcp, ssrc, word.readUInt32BE() - 0x8000_0000, clear, sealed);
      return plain && Buffer.concat([header, plain]);
    }
    const [body, tag] = [packet.subarray(0, -10), packet.subarray(-10)];
    if (!createHmac('sha1', this.#rtcp.auth).update(body).digest().subarray(0, 10).equals(tag))
      return undefined;
    const index = body.readUInt32BE(body.length - 4) - 0x8000_0000;
    return Buffer.concat([header, this.#counter(this.#rtcp, ssrc, index, body.subarray(8, -4))]);
  }

  get #isGcm(): boolean {
    return this.#suite.startsWith('AEAD');
  }

  /** RFC 3711 appendix A, as it is written there. */
  #indexOf(packet: Buffer): number {
    const ssrc = packet.readUInt32BE(8);
    const seq = packet.readUInt16BE(2);
    const highest = this.#highest.get(ssrc);
    if (highest === undefined) {
      this.#highest.set(ssrc, seq);
      return seq;
    }
    const [roc, last] = [Math.floor(highest / 65_536), highest % 65_536];
    let round = roc;
    if (last < 32_768) round = seq - last > 32_768 ? roc - 1 : roc;
    else if (last - 32_768 > seq) round = roc + 1;
    const index = round * 65_536 + seq;
    this.#highest.set(ssrc, Math.max(highest, index));
    return index;
  }

  #counter({ key, salt }: Session, ssrc: Buffer, index: number, data: Buffer): Buffer {
    const iv = Buffer.alloc(16);
    salt.copy(iv);
    xor(iv, 4, ssrc);
    xor(iv, 8, sixBytes(index));
    return createCipheriv('aes-128-ctr', key, iv).update(data);
  }

  #tag({ auth }: Session, body: Buffer, roc: Buffer): Buffer {
    const digest = createHmac('sha1', auth).update(body).update(roc).digest();
    return digest.subarray(0, keyBytes[this.#suite].tag);
  }

  #nonce(salt: Buffer, ssrc: Buffer, index: number): Buffer {
    const nonce = Buffer.from(salt);
    xor(nonce, 2, ssrc);
    xor(nonce, 6, sixBytes(index));
    return nonce;
  }

  get #gcm(): 'aes-128-gcm' | 'aes-256-gcm' {
    return this.#suite === 'AEAD_AES_256_GCM' ? 'aes-256-gcm' : 'aes-128-gcm';
  }

  #seal({ key, salt }: Session, ssrc: Buffer, index: number, clear: Buffer, data: Buffer): Buffer {
    const cipher = createCipheriv(this.#gcm, key, this.#nonce(salt, ssrc, index)).setAAD(clear);
    const sealed = Buffer.concat([cipher.update(data), cipher.final()]);
    return Buffer.concat([sealed, cipher.getAuthTag()]);
  }

  #unseal(
    { key, salt }: Session,
    ssrc: Buffer,
    index: number,
    clear: Buffer,
    sealed: Buffer,
  ): Buffer | undefined {
    const decipher = createDecipheriv(this.#gcm, key, this.#nonce(salt, ssrc, index), { authTagLength: 16 });
    decipher.setAAD(clear).setAuthTag(sealed.subarray(-16));
    try {
      return Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
    } catch {
      return undefined;
    }
  }
}

/** Length of the header with CSRCs and extension. */
function headerOf(packet: Buffer): number {
  const start = 12 + 4 * (packet[0]! & 0x0f);
  return packet[0]! & 0x10 ? start + 4 + 4 * packet.readUInt16BE(start + 2) : start;
}

function rollover(index: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(Math.floor(index / 65_536));
  return bytes;
}

function sixBytes(index: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUIntBE(index, 0, 6);
  return bytes;
}

function xor(into: Buffer, at: number, bytes: Buffer): void {
  for (const [i, byte] of bytes.entries()) into[at + i]! ^= byte;
}
