import { afterEach, describe, expect, it } from 'vitest';
import { systemDns } from '../../src/sip-engine/dns.ts';
import { DnsResolver, type Listening } from '../../src/sip-engine/resolve.ts';
import { newStats } from '../../src/sip-engine/stats.ts';
import { systemEngineClock } from '../../src/sip-engine/timers.ts';
import { type DnsServer, type ServedRecord, startDnsServer } from '../support/dns-server.ts';

const running: DnsServer[] = [];
afterEach(() => {
  for (const server of running.splice(0)) server.close();
});

async function serve(...records: ServedRecord[]) {
  const server = await startDnsServer(records);
  running.push(server);
  const dns = systemDns([server.address]);
  const listening: Listening = new Map([
    ['udp', new Set([4, 6])],
    ['tcp', new Set([4, 6])],
  ]);
  const resolver = new DnsResolver({ dns, listening, clock: systemEngineClock, stats: newStats() });
  return { server, dns, resolver };
}

describe('the DNS by node, asked over UDP', () => {
  it('gives what a whole resolution needs', async () => {
    const { server, resolver } = await serve(
      {
        type: 'NAPTR',
        name: 'example.com',
        data: {
          ...{ order: 10, preference: 50, flags: 's', services: 'SIP+D2T', regexp: '' },
          replacement: '_sip._tcp.example.com',
        },
      },
      {
        type: 'SRV',
        name: '_sip._tcp.example.com',
        data: { priority: 1, weight: 0, port: 5070, target: 'a.example.com' },
      },
      { type: 'A', name: 'a.example.com', ttl: 60, data: '192.0.2.1' },
      { type: 'AAAA', name: 'a.example.com', ttl: 60, data: '2001:db8::1' },
    );
    const target = { scheme: 'sip', host: 'example.com', port: undefined, transport: undefined } as const;
    const hop = { transport: 'tcp', port: 5070, name: 'example.com' };
    expect(await resolver.resolve(target)).toEqual([
      { ...hop, address: '192.0.2.1' },
      { ...hop, address: '2001:db8::1' },
    ]);
    // Any of them may have been lost and asked again.
    expect([...new Set(server.asked)]).toEqual([
      'NAPTR example.com',
      'SRV _sip._tcp.example.com',
      'A a.example.com',
      'AAAA a.example.com',
    ]);
  });

  it('tells the TTL of addresses', async () => {
    const { dns } = await serve({ type: 'A', name: 'a.example.com', ttl: 77, data: '192.0.2.1' });
    expect(await dns.addresses('a.example.com', 4)).toEqual([{ address: '192.0.2.1', ttl: 77 }]);
  });

  it('has an empty list for what does not exist, whether the name or the record', async () => {
    const { dns } = await serve({ type: 'A', name: 'a.example.com', data: '192.0.2.1' });
    expect(await dns.addresses('a.example.com', 6)).toEqual([]);
    expect(await dns.srv('nobody.example.com')).toEqual([]);
    expect(await dns.naptr('a.example.com')).toEqual([]);
    expect(await dns.addresses('no_host..name', 4)).toEqual([]);
  });

  it('looks up the names of this machine that no server knows', async () => {
    const { resolver } = await serve();
    const target = { scheme: 'sip', host: 'localhost', port: 5080, transport: 'tcp' } as const;
    const hops = await resolver.resolve(target);
    expect(hops.map(({ address }) => address)).toContain('127.0.0.1');
  });
});
