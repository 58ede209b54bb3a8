import { describe, expect, test } from 'vitest';
import { AesCounter } from '../../src/media/aes-counter.ts';
import { Gcm } from '../../src/media/srtp-gcm.ts';
import { deriveKeys, generate } from '../../src/media/srtp-keys.ts';
import { SrtpSender } from '../../src/media/srtp-sender.ts';
import { SrtpSession, transformOf } from '../../src/media/srtp-session.ts';
import { type SrtpSuite, srtpSuites } from '../../src/srtp.ts';
import { Srtp } from '../support/srtp.ts';
import { libsrtpKey, libsrtpPackets, plainRtcp, plainRtp } from './libsrtp-packets.ts';

/** Vectors of the standards, and packets of another implementation. */
const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');
const hex = (data: Uint8Array): string => Buffer.from(data).toString('hex');

test('RFC 3711 B.2: the key stream of AES-CM', () => {
  const counter = new AesCounter(
    bytes('2b7e151628aed2a6abf7158809cf4f3c'),
    bytes('f0f1f2f3f4f5f6f7f8f9fafbfcfd'),
    0xff02 * 16,
  );
  const stream = Buffer.alloc(0xff02 * 16);
  counter.apply(0, 0, stream, 0, stream.length, stream);
  const block = (number: number) => hex(stream.subarray(16 * number, 16 * number + 16));
  expect(block(0)).toBe('e03ead0935c95e80e166b16dd92b4eb4');
  expect(block(1)).toBe('d23513162b02d0f72a43a2fe4a5f97ab');
  expect(block(2)).toBe('41e95b3bb0a2e8dd477901e4fca894c0');
  expect(block(0xfeff)).toBe('ec8cdf7398607cb0f2d21675ea9ea1e4');
  expect(block(0xff00)).toBe('362b7c3c6773516318a077d7fc5073ae');
  expect(block(0xff01)).toBe('6a2cc3787889374fbeb4c81b17ba6c44');
});

test('a packet that is longer than the key stream can be is not sent half in the clear', () => {
  const counter = new AesCounter(Buffer.alloc(16), Buffer.alloc(14), 200);
  const packet = Buffer.alloc(5000);
  expect(() => counter.apply(1, 1, packet, 0, 5000, packet)).toThrow(RangeError);
});

describe('RFC 3711 B.3: key derivation', () => {
  const key = 'e1f97a0d3e018be0d64fa32c06de4139';
  const salt = '0ec675ad498afeebb6960b3aabe6';

  test('encryption key, salt and the start of the authentication key', () => {
    const { rtp } = deriveKeys('AES_CM_128_HMAC_SHA1_80', bytes(key + salt).toString('base64'));
    expect(hex(rtp.encryption)).toBe('c61e7a93744f39ee10734afe3ff7a087');
    expect(hex(rtp.salt)).toBe('30cbbc08863d8c85d49db34a9ae1');
    expect(hex(rtp.authentication)).toBe('cebe321f6ff7716b6fd4ab49af256a156d38baa4');
  });

  test('the whole authentication key of 94 bytes', () => {
    expect(hex(generate(bytes(key), bytes(salt), 1, 94))).toBe(
      'cebe321f6ff7716b6fd4ab49af256a156d38baa48f0a0acf3c34e2359e6cdbce' +
        'e049646c43d9327ad175578ef72270986371c10c9a369ac2f94a8c5fbcdddc25' +
        '6d6e919a48b610ef17c2041e474035766b68642c59bbfc2f34db60dbdfb2',
    );
  });
});

describe('RFC 7714 16, 17: AES-GCM under given session keys', () => {
  const key = '000102030405060708090a0b0c0d0e0f';
  const key256 = `${key}101112131415161718191a1b1c1d1e1f`;
  const rtp =
    '8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573';
  const rtcp =
    '81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef';
  const gcm = (encryption: string): Gcm => {
    const keys = {
      encryption: bytes(encryption),
      salt: bytes('517569642070726f2071756f'),
      authentication: bytes(''),
    };
    return new Gcm({ rtp: keys, rtcp: keys });
  };
  const into = Buffer.alloc(200);

  test.each([
    [
      key,
      '8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833' +
        '899d7f27beb16a9152cf765ee4390cce',
    ],
    [
      key256,
      '8040f17b8041f8d35501a0b232b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b' +
        '7aa3db36dfffd6b0f9bb7878d7a76c13',
    ],
  ])('SRTP, both ways: %#', (encryption, protectedRtp) => {
    const length = gcm(encryption).protectRtp(bytes(rtp), 12, 0xf17b, into);
    expect(hex(into.subarray(0, length))).toBe(protectedRtp);
    const packet = bytes(protectedRtp);
    const plain = gcm(encryption).unprotectRtp(packet, packet.length, 12, 0xf17b);
    expect(hex(packet.subarray(0, plain))).toBe(rtp);
  });

  test.each([
    [
      key,
      '81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275b' +
        'c84aa45896cf4d2fc5abf87245d9eade800005d4',
    ],
    [
      key256,
      '81c8000d4d617273d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61de0476f1b6fad' +
        '1d1eb30c4446839f57ff6f6cb26ac3be800005d4',
    ],
  ])('SRTCP, both ways: %#', (encryption, protectedRtcp) => {
    const length = gcm(encryption).protectRtcp(bytes(rtcp), 0x5d4, into);
    expect(hex(into.subarray(0, length))).toBe(protectedRtcp);
    const packet = bytes(protectedRtcp);
    expect(gcm(encryption).rtcpIndex(packet, packet.length)).toBe(0x8000_05d4);
    const plain = gcm(encryption).unprotectRtcp(packet, packet.length);
    expect(hex(packet.subarray(0, plain))).toBe(rtcp);
  });

  test('SRTCP that is tagged but not encrypted', () => {
    const packet = bytes(`${rtcp}841dd9683dd78ec92ae58790125f62b3000005d4`);
    expect(gcm(key).unprotectRtcp(packet, packet.length)).toBe(rtcp.length / 2);
    expect(hex(packet.subarray(0, rtcp.length / 2))).toBe(rtcp);
  });
});

describe("libsrtp's reference packets", () => {
  test.each([
    [
      'AES_CM_128_HMAC_SHA1_80',
      'e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6',
      '4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb',
      '7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798',
    ],
    [
      'AEAD_AES_128_GCM',
      '000102030405060708090a0b0c0d0e0fa0a1a2a3a4a5a6a7a8a9aaab',
      'c5002ede04cfdd2eb91159e0880aa06ed2976826f796b201df3131a127e8a392',
      'c98b8b5df0392a55852b6c21ac8e7025c52c6fbea2b3b446ea31123ba88ce61e80000001',
    ],
  ] as const)('%s', (suite, key, rtp, rtcp) => {
    const transform = transformOf(suite, bytes(key).toString('base64'));
    const into = Buffer.alloc(100);
    const body = 'ab'.repeat(16);
    const rtpLength = transform.protectRtp(bytes(`800f1234decafbadcafebabe${body}`), 12, 0x1234, into);
    expect(hex(into.subarray(0, rtpLength))).toBe(`800f1234decafbadcafebabe${rtp}`);
    const rtcpLength = transform.protectRtcp(bytes(`81c8000bcafebabe${body}`), 1, into);
    expect(hex(into.subarray(0, rtcpLength))).toBe(`81c8000bcafebabe${rtcp}`);
  });
});

/** The whole way, from the master key on, with the rollover in the middle. */
describe.each(Object.keys(srtpSuites) as SrtpSuite[])('libsrtp with %s', (suite) => {
  const { keyBytes, saltBytes } = srtpSuites[suite];
  const key = libsrtpKey(keyBytes + saltBytes);
  const packets = libsrtpPackets[suite];

  test('is understood', () => {
    const session = new SrtpSession();
    session.configure({ suite, localKey: key, remoteKey: key, remoteMki: '' }, 0);
    const heard = packets.rtp.map((packet) => {
      const datagram = bytes(packet);
      return hex(datagram.subarray(0, session.unprotectRtp(datagram, 0)));
    });
    expect(heard).toEqual(plainRtp.map(hex));
    const reports = packets.rtcp.map((packet) => {
      const datagram = bytes(packet);
      return hex(datagram.subarray(0, session.unprotectRtcp(datagram, 0)));
    });
    expect(reports).toEqual(plainRtcp.map(hex));
  });

  test('sends what we send, to the byte', () => {
    const sender = new SrtpSender(transformOf(suite, key), 2048);
    expect(plainRtp.map((packet) => hex(sender.protectRtp(packet)))).toEqual(packets.rtp);
    // Ours begins with the index 0, as RFC 3711 §3.4 says.
    sender.protectRtcp(plainRtcp[0] as Buffer);
    expect(plainRtcp.map((packet) => hex(sender.protectRtcp(packet)))).toEqual(packets.rtcp);
  });

  test('a bit that was turned over anywhere is found', () => {
    const tag = srtpSuites[suite].tagBytes;
    const session = new SrtpSession();
    session.configure({ suite, localKey: key, remoteKey: key, remoteMki: '' }, 0);
    const packet = bytes(packets.rtp[0] as string);
    for (let at = 0; at < packet.length; at++) {
      const forged = Buffer.from(packet);
      forged[at] = (forged[at] as number) ^ 1;
      expect(session.unprotectRtp(forged, 0)).toBe(-1);
    }
    expect(session.unprotectRtp(packet, 0)).toBe(packet.length - tag);
  });

  test('a long run of two streams with losses, late packets and many lengths is what the book says, both ways', () => {
    const phone = new Srtp(suite, key);
    const session = new SrtpSession();
    session.configure({ suite, localKey: key, remoteKey: key, remoteMki: '' }, 0);
    const plain = Array.from({ length: 400 }, (_, n) => {
      const packet = Buffer.alloc(12 + ((n * 37) % 250), n);
      packet[0] = 0x80;
      // Every eighth is lost.
      packet.writeUInt16BE((65_400 + n + Math.floor(n / 7)) & 0xffff, 2);
      packet.writeUInt32BE(n % 5 === 0 ? 2 : 1, 8);
      return packet;
    });
    const packets = plain.map((packet) => phone.protect(packet));
    // What we send is one stream.
    const isOurs = (packet: Buffer) => packet.readUInt32BE(8) === 1;
    expect(plain.filter(isOurs).map((packet) => hex(session.protectRtp(packet)))).toEqual(
      packets.filter(isOurs).map(hex),
    );
    // Of every eleven the last comes first.
    const order = plain.map((_, n) => (n % 11 === 0 ? Math.min(n + 10, 399) : n - 1));
    for (const n of order) {
      const [packet, expected] = [packets[n] as Buffer, plain[n] as Buffer];
      expect(session.unprotectRtp(packet, 0)).toBe(expected.length);
      expect(hex(packet.subarray(0, expected.length))).toBe(hex(expected));
    }
  });
});
