import { describe, expect, it } from 'vitest';
import { readRtcp, writeRtcp } from '../../src/media/rtcp.ts';
import { RtcpSession } from '../../src/media/rtcp-session.ts';

const OURS = 0x11223344;
const THEIRS = 0x55667788;
const block = {
  ssrc: THEIRS,
  fractionLost: 64,
  totalLost: 7,
  highestSequence: 0x0001_0005,
  jitter: 33,
  lastSr: 0,
  delaySinceLastSr: 0,
};
const sent = { ssrc: OURS, rtpTimestamp: 160, packets: 1, bytes: 160 };
const theirs = { ...sent, ssrc: THEIRS };

const newSession = (wallOrigin = 1_800_000_000_000) =>
  new RtcpSession({ cname: 'leg@gateway', wallOrigin, random: () => 0.5 });

describe('RTCP packets', () => {
  it('a sender report with CNAME and BYE, byte for byte', () => {
    const sender = {
      ntpSeconds: 0x01020304,
      ntpFraction: 0x05060708,
      rtpTimestamp: 9,
      packets: 10,
      bytes: 11,
    };
    const bytes = writeRtcp({ ssrc: OURS, cname: 'ab', sender, blocks: [block], bye: true });
    expect(bytes.toString('hex')).toBe(
      // SR, one block, 12 words (RFC 3550 §6.4.1).
      '81c8000c11223344' +
        '01020304050607080000000900000000a0000000b'.replace('00000000a0000000b', '0000000a0000000b') +
        '556677884000000700010005000000210000000000000000' +
        // SDES, one chunk: CNAME of 2 bytes, its end and padding (§6.5).
        '81ca000311223344010261620000000000'.slice(0, 32) +
        // BYE (§6.6).
        '81cb000111223344',
    );
  });

  it('what was written is read again', () => {
    const bytes = writeRtcp({ ssrc: OURS, cname: 'x', sender: undefined, blocks: [block], bye: false });
    expect(readRtcp(bytes)).toEqual({ senderReports: [], blocks: [block], bye: false });
  });

  it('takes a report that stands alone (RFC 5506), and packets that it does not know', () => {
    const compound = writeRtcp({ ssrc: THEIRS, cname: 'x', sender: undefined, blocks: [block], bye: false });
    const alone = compound.subarray(0, 32);
    expect(readRtcp(alone)?.blocks).toEqual([block]);
    const unknown = Buffer.from('80d0000111223344', 'hex');
    expect(readRtcp(Buffer.concat([alone, unknown]))?.blocks).toEqual([block]);
  });

  it.each([
    ['nothing', ''],
    ['RTP', '8000000100000000000000000000'],
    ['a length beyond the end', '81c900ff11223344'],
    ['a cut report', '81c9000711223344556677'],
    ['garbage behind a header', `80c90001${'ff'.repeat(3)}`],
    ['more blocks than there is room for', '9fc9000111223344'],
    ['more than a frame carries', '80cb0000'.repeat(600)],
  ])('cannot read %s', (_, hex) => {
    expect(readRtcp(Buffer.from(hex, 'hex'))).toBeUndefined();
  });

  it('takes what a profile adds to a report, and a source description that is broken', () => {
    const extended = writeRtcp({ ssrc: THEIRS, cname: 'x', sender: undefined, blocks: [block], bye: false });
    const [report, extension, broken] = [extended.subarray(0, 32), 'ffffffff00000001', '9fca000111223344'];
    report.writeUInt16BE(9, 2);
    const datagram = Buffer.concat([report, Buffer.from(extension + broken, 'hex')]);
    expect(readRtcp(datagram)?.blocks).toEqual([block]);
  });

  it.each([
    [4095, 4095],
    [5000, 5000],
    [0x7fffff, 0x7fffff],
    [0xffffff, 0],
  ])('of a count of lost packets of %i takes %i: it has 24 bits and a sign', (written, read) => {
    const blocks = [block];
    const bytes = writeRtcp({ ssrc: THEIRS, cname: 'x', sender: undefined, blocks, bye: false });
    bytes.writeUIntBE(written, 13, 3);
    expect(readRtcp(bytes)?.blocks).toEqual([{ ...block, totalLost: read }]);
  });

  it('a length beyond the end costs no more where the memory goes on behind the datagram', () => {
    const memory = Buffer.alloc(65_536, Buffer.from('09000000', 'hex'));
    const claim = Buffer.from('80cf3ff000000001', 'hex');
    memory.set(claim);
    const times = [memory.subarray(0, 8), Buffer.from(new Uint8Array(claim).buffer)].map((datagram) => {
      const rounds = Array.from({ length: 10 }, () => {
        const start = performance.now();
        for (let i = 0; i < 20; i++) expect(readRtcp(datagram)).toBeUndefined();
        return performance.now() - start;
      });
      return Math.min(...rounds);
    });
    const [within = 0, alone = 0] = times;
    expect(within / alone).toBeLessThan(20);
  });

  it('never throws at what comes from the network', () => {
    const seed = writeRtcp({ ssrc: OURS, cname: 'ab', sender: undefined, blocks: [block], bye: true });
    let state = 7;
    const random = () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
      return state / 0x80000000;
    };
    for (let i = 0; i < 5_000; i += 1) {
      const mutant = Buffer.from(seed.subarray(0, Math.floor(random() * (seed.length + 1))));
      for (let n = 0; n < 4 && mutant.length > 0; n += 1) {
        mutant[Math.floor(random() * mutant.length)] = Math.floor(random() * 256);
      }
      expect(() => readRtcp(mutant)).not.toThrow();
    }
  });
});

describe('an RTCP session', () => {
  it('reports half an interval after the start, then every 5 s, spread by a fifth', () => {
    const session = newSession();
    expect(session.due(1e9)).toBe(false);
    session.start(1000);
    expect([session.due(3499), session.due(3500)]).toEqual([false, true]);
    session.report(3500, sent, undefined);
    expect([session.due(8499), session.due(8500)]).toEqual([false, true]);
  });

  it('is a sender report while it sends, else a receiver report', () => {
    const session = newSession();
    expect(session.report(0, sent, undefined)[1]).toBe(200);
    expect(session.report(5000, sent, undefined)[1]).toBe(201);
    expect(session.report(10_000, { ...sent, packets: 2 }, undefined)[1]).toBe(200);
  });

  it('tells the wall clock as it was at the start plus the monotonic time since, in NTP form', () => {
    const bytes = newSession(1_800_000_000_250).report(500, sent, undefined);
    expect(bytes.readUInt32BE(8)).toBe(1_800_000_000 + 2_208_988_800);
    expect(bytes.readUInt32BE(12) / 2 ** 32).toBeCloseTo(0.75, 6);
    expect(bytes.readUInt32BE(16)).toBe(160);
  });

  it('measures the round trip of a report and its echo, less the time that the peer had it', () => {
    const [us, them] = [newSession(), newSession(1_700_000_000_000)];
    const report = us.report(1000, sent, undefined);
    them.hear(report, 9040);
    const answer = them.report(9540, theirs, { ...block, ssrc: OURS });
    us.hear(answer, 1000 + 40 + 500 + 60);
    expect(us.roundTripMs).toBeCloseTo(100, 0);
    expect(us.peer).toEqual({ packetsLost: 7, fractionLost: 0.25, jitter: 33 });
    expect(them.roundTripMs).toBeUndefined();
  });

  it('does not take a report about somebody else for one about us', () => {
    const [us, them] = [newSession(), newSession()];
    us.report(0, sent, undefined);
    us.hear(them.report(0, theirs, { ...block, ssrc: 99 }), 10);
    expect(us.peer).toBeUndefined();
  });

  it('smooths later round trips, and believes none that cannot be', () => {
    const [us, them] = [newSession(), newSession()];
    const echo = (at: number, ms: number) => {
      them.hear(us.report(at, { ...sent, packets: at }, undefined), at);
      us.hear(them.report(at, { ...theirs, packets: at }, { ...block, ssrc: OURS }), at + ms);
    };
    echo(1000, 80);
    echo(2000, 160);
    expect(us.roundTripMs).toBeCloseTo(90, 0);
    echo(3000, 40_000);
    expect(us.roundTripMs).toBeCloseTo(90, 0);
  });

  it('hears that the peer says BYE', () => {
    const [us, them] = [newSession(), newSession()];
    us.hear(them.report(0, theirs, undefined, true), 10);
    expect(us.ended).toBe(true);
  });
});
