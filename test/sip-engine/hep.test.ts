import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeHep } from '../../src/sip-engine/hep.ts';
import { type HepSender, openHepSender } from '../../src/sip-engine/hep-sender.ts';
import { newStats } from '../../src/sip-engine/stats.ts';
import { wireMessage } from '../../src/sip-engine/wire-message.ts';
import { RecorderFlow, request } from '../support/engine-harness.ts';
import { readHep } from '../support/hep-packet.ts';
import { onWire } from '../support/wire.ts';

const micros = Date.UTC(2026, 0, 1) * 1000 + 123_456;

describe('a HEP3 packet', () => {
  it('tells where a message came from and went to, when, and who saw it', () => {
    const packet = readHep(encodeHep(onWire(request()), micros, { captureId: 2001, password: 'pässword' }));
    expect(packet).toEqual({
      family: 2,
      protocol: 17,
      source: '198.51.100.7 5060',
      destination: '192.0.2.1 5060',
      time: micros / 1e6,
      payloadType: 1,
      captureId: 2001,
      password: 'pässword',
      payload: request(),
    });
  });

  it('has what we sent the other way round, and no password where there is none', () => {
    const packet = readHep(encodeHep(onWire(request(), 'out'), micros, { captureId: 4_294_967_295 }));
    expect([packet.source, packet.destination]).toEqual(['192.0.2.1 5060', '198.51.100.7 5060']);
    expect([packet.captureId, packet.password]).toEqual([4_294_967_295, undefined]);
  });

  it.each([
    ['2001:db8::1', '2001:0db8:0000:0000:0000:0000:0000:0001'],
    ['::', '0000:0000:0000:0000:0000:0000:0000:0000'],
    ['fe80::1%eth0', 'fe80:0000:0000:0000:0000:0000:0000:0001'],
    ['1:2:3:4:5:6:7:8', '0001:0002:0003:0004:0005:0006:0007:0008'],
    ['::ffff:192.0.2.1', '0000:0000:0000:0000:0000:ffff:c000:0201'],
  ])('has IPv6 addresses: %s', (address, groups) => {
    const flow = new RecorderFlow({ address, port: 5061 }, 'tls');
    const packet = readHep(encodeHep(wireMessage('in', Buffer.from('x'), flow, 0), 0, { captureId: 1 }));
    expect(packet).toMatchObject({ family: 10, protocol: 6, source: `${groups} 5061` });
    // Our side of this flow has no IPv6 address.
    expect(packet.destination).toBe('0000:0000:0000:0000:0000:0000:0000:0000 5060');
  });

  it('carries no secrets, and bytes as they are', () => {
    const text = request({ extra: 'Authorization: Digest response="SECRET"\r\nSubject: Jürgen\r\n' });
    const { payload } = readHep(encodeHep(onWire(text), micros, { captureId: 1 }));
    expect(payload).not.toContain('SECRET');
    expect(payload).toContain('Subject: Jürgen\r\n');
  });
});

describe('the copies for a Homer server', () => {
  const senders: HepSender[] = [];
  afterEach(() => {
    for (const sender of senders.splice(0)) sender.close();
  });

  const open = (host: string, port: number) => {
    const stats = newStats();
    const sender = openHepSender({ host, port, captureId: 7 }, stats);
    senders.push(sender);
    return { sender, stats };
  };

  it('go to it by UDP, in the order of the messages', async () => {
    const homer = createSocket('udp4');
    const packets: ReturnType<typeof readHep>[] = [];
    homer.on('message', (bytes) => packets.push(readHep(bytes)));
    homer.bind(0, '127.0.0.1');
    await once(homer, 'listening');
    const { sender, stats } = open('127.0.0.1', homer.address().port);
    // Until the name is looked up nothing can be sent.
    await expect
      .poll(() => {
        sender.send(onWire(request({ callId: 'first' })));
        return packets.length;
      })
      .toBeGreaterThan(0);
    for (const callId of ['a', 'b', 'c']) sender.send(onWire(request({ callId })));
    await expect.poll(() => packets.at(-1)?.payload).toContain('Call-ID: c\r\n');
    const times = packets.slice(-3).map(({ time }) => time);
    expect(times).toEqual([...new Set(times)].sort((a, b) => a - b));
    expect(stats.hepSent).toBe(packets.length);
    homer.close();
  });

  it('that cannot be sent are counted, and nothing else happens', () => {
    const { sender, stats } = open('127.0.0.1', 9);
    sender.send(onWire(request()));
    sender.close();
    sender.send(onWire(request()));
    expect(stats.hepDropped).toBe(2);
  });
});
