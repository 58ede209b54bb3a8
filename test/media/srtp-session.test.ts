import { createHmac } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { deriveKeys } from '../../src/media/srtp-keys.ts';
import { SrtpSession } from '../../src/media/srtp-session.ts';
import type { SrtpSettings } from '../../src/srtp.ts';
import { randomFrom } from '../fuzz/random.ts';
import { libsrtpKey } from './libsrtp-packets.ts';

/** What a leg makes of its peer's SRTP; the vectors beside this file hold what packets look like. */
const ours = libsrtpKey(30);
const theirs = Buffer.from(ours, 'base64').reverse().toString('base64');
const theirNext = Buffer.alloc(30, 0x5a).toString('base64');
const suite = 'AES_CM_128_HMAC_SHA1_80';
const OK = 32;
const NOT_AUTHENTIC = -1;
const REPLAYED = -2;

const settings = (changes: Partial<SrtpSettings> = {}): SrtpSettings => ({
  suite,
  localKey: ours,
  remoteKey: theirs,
  remoteMki: '',
  ...changes,
});

/** The other end: its keys are ours the other way round. */
function peerWith(localKey = theirs): SrtpSession {
  const session = new SrtpSession();
  session.configure(settings({ localKey, remoteKey: ours }), 0);
  return session;
}

function rtp(sequence: number, ssrc = 7): Buffer {
  const packet = Buffer.alloc(OK, sequence & 0xff);
  packet[0] = 0x80;
  packet[1] = 0;
  packet.writeUInt16BE(sequence & 0xffff, 2);
  packet.writeUInt32BE(ssrc, 8);
  return packet;
}

function rtcp(ssrc = 7): Buffer {
  const packet = Buffer.alloc(28, 0x11);
  packet.set([0x80, 200, 0, 6]);
  packet.writeUInt32BE(ssrc, 4);
  return packet;
}

let leg: SrtpSession;
let peer: SrtpSession;
/** A packet of the peer as it comes from the network. */
const from = (sender: SrtpSession, sequence: number, ssrc?: number): Buffer =>
  Buffer.from(sender.protectRtp(rtp(sequence, ssrc)));
const hear = (datagram: Buffer, now = 0): number => leg.unprotectRtp(Buffer.from(datagram), now);

beforeEach(() => {
  leg = new SrtpSession();
  leg.configure(settings(), 0);
  peer = peerWith();
});

describe('sequence numbers that roll over', () => {
  test('are followed, with losses and packets out of order across the end', () => {
    const sent = [65_530, 65_533, 65_535, 65_534, 2, 1, 65_532, 20_000, 50_000, 10_000, 9_999];
    // Made in order, as a sender does; 10,000 and 9,999 are in the second round.
    const inOrder = [65_530, 65_532, 65_533, 65_534, 65_535, 1, 2, 20_000, 50_000, 9_999, 10_000];
    const packets = new Map(inOrder.map((sequence) => [sequence, from(peer, sequence)]));
    expect(sent.map((sequence) => hear(packets.get(sequence) as Buffer))).toEqual(sent.map(() => OK));
  });

  test('count for what is sent too: the peer understands packets of three rounds', () => {
    for (let sequence = 0; sequence < 3 * 65_536; sequence += 16_384) {
      const packet = Buffer.from(leg.protectRtp(rtp(sequence)));
      expect(peer.unprotectRtp(packet, 0)).toBe(OK);
    }
  });

  test('are counted anew for a new stream of ours', () => {
    for (const [sequence, ssrc] of [
      [65_535, 7],
      [0, 7],
      [5, 8],
    ] as const) {
      expect(peer.unprotectRtp(Buffer.from(leg.protectRtp(rtp(sequence, ssrc))), 0)).toBe(OK);
    }
  });

  test('a packet of the round before the first is none', () => {
    const first = from(peer, 3);
    const before = from(peerWith(), 65_535);
    expect(hear(first)).toBe(OK);
    expect(hear(before)).toBe(NOT_AUTHENTIC);
    expect(hear(from(peer, 4))).toBe(OK);
  });
});

describe('a packet that came before', () => {
  test('is dropped, also a late one that is repeated, and the next is heard', () => {
    const packets = [10, 11, 12, 13].map((sequence) => from(peer, sequence));
    for (const n of [0, 3, 1]) expect(hear(packets[n] as Buffer)).toBe(OK);
    for (const n of [0, 1, 3]) expect(hear(packets[n] as Buffer)).toBe(REPLAYED);
    expect(hear(packets[2] as Buffer)).toBe(OK);
  });

  test('is dropped where it is too old to know', () => {
    const old = from(peer, 1);
    expect(hear(from(peer, 500))).toBe(OK);
    expect(hear(old)).toBe(REPLAYED);
  });

  test('is dropped although it is sent again a round later', () => {
    const recorded = from(peer, 100);
    expect(hear(recorded)).toBe(OK);
    for (const sequence of [30_000, 60_000, 65_600 - 65_536]) expect(hear(from(peer, sequence))).toBe(OK);
    expect(hear(recorded)).not.toBe(OK);
  });
});

describe('streams', () => {
  test('each count their own rounds', () => {
    for (const sequence of [65_000, 20, 30_000]) expect(hear(from(peer, sequence, 1))).toBe(OK);
    const other = peerWith();
    for (const sequence of [40_000, 65_535, 0]) expect(hear(from(other, sequence, 2))).toBe(OK);
    expect(hear(from(peer, 30_001, 1))).toBe(OK);
  });

  test('of somebody without the key leave no trace, however many', () => {
    const recorded = from(peer, 1);
    expect(hear(recorded)).toBe(OK);
    const stranger = peerWith(theirNext);
    for (let ssrc = 100; ssrc < 300; ssrc++) {
      expect(hear(from(stranger, 1, ssrc))).toBe(NOT_AUTHENTIC);
      expect(hear(from(stranger, 60_000, 7))).toBe(NOT_AUTHENTIC);
    }
    expect(hear(recorded)).toBe(REPLAYED);
    expect(hear(from(peer, 2))).toBe(OK);
  });

  test('that the peer begins are all followed, and the last 32 are remembered', () => {
    const packets = Array.from({ length: 40 }, (_, n) => from(peerWith(), 5, n));
    for (const packet of packets) expect(hear(packet)).toBe(OK);
    for (const packet of packets.slice(8)) expect(hear(packet)).toBe(REPLAYED);
    for (const packet of packets.slice(0, 8)) expect(hear(packet)).toBe(OK);
  });

  test('that go on are not forgotten for those that have ended', () => {
    for (const sequence of [65_000, 500]) expect(hear(from(peer, sequence))).toBe(OK);
    for (let n = 0; n < 100; n++) {
      expect(hear(from(peerWith(), 5, 1000 + n))).toBe(OK);
      expect(hear(from(peer, 501 + n))).toBe(OK);
    }
  });
});

describe('a re-INVITE', () => {
  test('with the same keys resets nothing', () => {
    const recorded = from(peer, 65_535);
    expect(hear(recorded)).toBe(OK);
    expect(leg.configure(settings(), 1000)).toBe(false);
    expect(hear(recorded)).toBe(REPLAYED);
    expect(hear(from(peer, 0))).toBe(OK);
  });

  test('with a new key: it counts at once, and the old one for five seconds beside it', () => {
    const late = [1, 2, 3].map((sequence) => from(peer, sequence));
    expect(leg.configure(settings({ remoteKey: theirNext }), 1000)).toBe(true);
    const next = peerWith(theirNext);
    expect(hear(from(next, 4), 1000)).toBe(OK);
    expect(hear(late[0] as Buffer, 1000)).toBe(OK);
    expect(hear(late[0] as Buffer, 1000)).toBe(REPLAYED);
    expect(hear(late[1] as Buffer, 6000)).toBe(OK);
    expect(hear(late[2] as Buffer, 6001)).toBe(NOT_AUTHENTIC);
    expect(hear(from(next, 5), 6001)).toBe(OK);
  });

  test.each([
    ['goes on counting rounds under the new key', true],
    ['counts from zero again', false],
  ])('with a new key from a peer that %s', (_name, goesOn) => {
    const next = peerWith(theirNext);
    for (const sequence of [65_000, 500]) {
      hear(from(peer, sequence));
      if (goesOn) next.protectRtp(rtp(sequence));
    }
    leg.configure(settings({ remoteKey: theirNext }), 0);
    expect(hear(from(next, 501))).toBe(OK);
    expect(hear(from(next, 502))).toBe(OK);
  });

  test('with the key from before the last: what came under it stays known', () => {
    const recorded = from(peer, 1);
    hear(recorded);
    leg.configure(settings({ remoteKey: theirNext }), 0);
    leg.configure(settings(), 100);
    expect(hear(recorded, 100)).toBe(REPLAYED);
    expect(hear(from(peer, 2), 100)).toBe(OK);
    expect(hear(from(peerWith(theirNext), 3), 100)).toBe(OK);
  });

  test('to plain RTP and back: the keys know what came, and what we send begins a new stream', () => {
    const recorded = from(peer, 1);
    hear(recorded);
    expect(leg.configure(null, 0)).toBe(false);
    expect(leg.on).toBe(false);
    expect(leg.configure(settings(), 100)).toBe(true);
    expect(hear(recorded)).toBe(REPLAYED);
  });

  test('with another suite', () => {
    const gcm = { suite: 'AEAD_AES_128_GCM' as const, localKey: libsrtpKey(28), remoteKey: libsrtpKey(28) };
    expect(leg.configure(settings(gcm), 0)).toBe(true);
    const next = new SrtpSession();
    next.configure(settings(gcm), 0);
    expect(hear(from(next, 9))).toBe(OK);
    expect(hear(from(peer, 8), 100)).toBe(OK);
  });
});

describe('SRTCP', () => {
  const report = (datagram: Buffer): number => leg.unprotectRtcp(Buffer.from(datagram), 0);
  /** Authentic but not encrypted, made without our code: the flag is off, and HMAC-SHA1 covers it. */
  function unencrypted(index: number): Buffer {
    const { rtcp: keys } = deriveKeys(suite, theirs);
    const trailer = Buffer.alloc(4);
    trailer.writeUInt32BE(index);
    const packet = Buffer.concat([rtcp(), trailer]);
    const tag = createHmac('sha1', keys.authentication).update(packet).digest().subarray(0, 10);
    return Buffer.concat([packet, tag]);
  }

  test('that is only authenticated is taken, once', () => {
    const packet = unencrypted(5);
    expect(leg.unprotectRtcp(packet, 0)).toBe(28);
    expect(packet.subarray(0, 28).equals(rtcp())).toBe(true);
    expect(report(unencrypted(5))).toBe(REPLAYED);
    expect(report(unencrypted(4))).toBe(28);
  });

  test('without the key, plain or cut short is none', () => {
    const good = unencrypted(1);
    for (let length = 0; length < good.length; length++) {
      expect(report(good.subarray(0, length))).toBe(NOT_AUTHENTIC);
    }
    expect(report(rtcp())).toBe(NOT_AUTHENTIC);
    expect(report(good)).toBe(28);
  });

  test('does not stand in the way of the RTP of its stream, whichever comes first', () => {
    expect(report(unencrypted(1))).toBe(28);
    expect(hear(from(peer, 40_000))).toBe(OK);
    expect(report(unencrypted(2))).toBe(28);
    expect(hear(from(peer, 40_001))).toBe(OK);
  });
});

describe('a master key identifier', () => {
  beforeEach(() => {
    leg = new SrtpSession();
    leg.configure(settings({ remoteMki: '0102' }), 0);
  });
  const withMki = (packet: Buffer, mki: string): Buffer =>
    Buffer.concat([packet.subarray(0, -10), Buffer.from(mki, 'hex'), packet.subarray(-10)]);

  test('stands before the tag and is taken out', () => {
    const packet = withMki(from(peer, 1), '0102');
    expect(leg.unprotectRtp(packet, 0)).toBe(OK);
    expect(packet.subarray(0, OK).equals(rtp(1))).toBe(true);
  });

  test('that stays as it is over a new key hides nothing under the old one', () => {
    const late = withMki(from(peer, 1), '0102');
    leg.configure(settings({ remoteKey: theirNext, remoteMki: '0102' }), 0);
    expect(hear(withMki(from(peerWith(theirNext), 2), '0102'))).toBe(OK);
    expect(hear(late)).toBe(OK);
    const report = withMki(peer.protectRtcp(rtcp()), '0102');
    expect(leg.unprotectRtcp(report, 0)).toBe(28);
  });

  test('that is another or missing makes a packet unknown', () => {
    expect(hear(withMki(from(peer, 1), '0103'))).toBe(NOT_AUTHENTIC);
    expect(hear(from(peer, 2))).toBe(NOT_AUTHENTIC);
  });
});

test('whatever comes from the network is judged without an error', () => {
  const random = randomFrom(42);
  leg.configure(settings({ remoteKey: theirNext, remoteMki: '01' }), 0);
  for (let n = 0; n < 5000; n++) {
    const length = n % 50 === 0 ? random(4000) : random(80);
    const datagram = Buffer.from(Array.from({ length }, () => random(256)));
    if (length > 0) datagram[0] = 0x80 | random(0x40);
    expect(leg.unprotectRtp(datagram, 0)).toBe(NOT_AUTHENTIC);
    expect(leg.unprotectRtcp(datagram, 0)).toBe(NOT_AUTHENTIC);
  }
});
