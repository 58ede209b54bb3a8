import { describe, expect, it } from 'vitest';
import type { Family } from '../../src/sip-engine/dns.ts';
import {
  DnsResolver,
  type Listening,
  ResolveError,
  type ResolveTarget,
} from '../../src/sip-engine/resolve.ts';
import { newStats } from '../../src/sip-engine/stats.ts';
import type { Hop, TransportName } from '../../src/sip-engine/transport.ts';
import { FakeEngineClock } from '../support/engine-clock.ts';
import { FakeDns } from '../support/fake-dns.ts';

const everything: Listening = new Map([
  ['udp', new Set([4, 6])],
  ['tcp', new Set([4, 6])],
  ['tls', new Set([4, 6])],
]);
const udpOnly: Listening = new Map([['udp', new Set([4])]]);

function made(listening: Listening = everything) {
  const clock = new FakeEngineClock();
  const dns = new FakeDns();
  const stats = newStats();
  const resolver = new DnsResolver({ dns, listening, clock, stats, random: () => 0 });
  /** `sip:example.com:5070;transport=tcp` → `tcp 192.0.2.1 5070`, each with its name where there is one. */
  const resolve = async (uri: string): Promise<string[]> =>
    (await resolver.resolve(targetOf(uri))).map(shown);
  return { clock, dns, stats, resolver, resolve };
}

function targetOf(uri: string): ResolveTarget {
  const [, scheme, host = '', port, transport] =
    /^(sips?):(\[.*?\]|[^:;]*)(?::(\d+))?(?:;transport=(.*))?$/.exec(uri)!;
  return { scheme: scheme as 'sip' | 'sips', host, port: port ? Number(port) : undefined, transport };
}

const shown = ({ transport, address, port, name }: Hop): string =>
  [transport, address, port, name ?? ''].join(' ').trim();

describe('an address', () => {
  it.each([
    ['sip:192.0.2.1', 'udp 192.0.2.1 5060'],
    ['sip:192.0.2.1:5070', 'udp 192.0.2.1 5070'],
    ['sip:192.0.2.1;transport=tcp', 'tcp 192.0.2.1 5060'],
    ['sip:192.0.2.1;transport=tls', 'tls 192.0.2.1 5061'],
    ['sips:192.0.2.1', 'tls 192.0.2.1 5061'],
    ['sips:192.0.2.1:5071;transport=tcp', 'tls 192.0.2.1 5071'],
    ['sip:[2001:db8::1]', 'udp 2001:db8::1 5060'],
    ['sip:[2001:db8::1]:5070;transport=tcp', 'tcp 2001:db8::1 5070'],
    ['sip:[2001:DB8:0:0::1]', 'udp 2001:db8::1 5060'],
  ])('%s is %s, at once', (uri, hop) => {
    const { resolver, dns } = made();
    const hops = resolver.resolve(targetOf(uri)) as readonly Hop[];
    expect(hops.map(shown)).toEqual([hop]);
    expect(dns.asked).toEqual([]);
  });

  it('takes a transport that the engine listens on in its family', () => {
    const mixed: Listening = new Map<TransportName, Set<Family>>([
      ['udp', new Set([4])],
      ['tcp', new Set([6])],
    ]);
    const { resolver } = made(mixed);
    expect(resolver.resolve(targetOf('sip:[2001:db8::1]'))).toEqual([
      { transport: 'tcp', address: '2001:db8::1', port: 5060 },
    ]);
  });

  it.each([
    ['sips:192.0.2.1', 'the engine does not listen on TLS'],
    ['sip:192.0.2.1;transport=tls', 'the engine does not listen on TLS'],
    ['sip:192.0.2.1;transport=tcp', 'the engine does not listen on TCP'],
    ['sip:192.0.2.1;transport=ws', 'the engine does not listen on WS'],
    ['sips:192.0.2.1;transport=udp', 'the engine does not listen on TLS'],
    ['sip:[2001:db8::1]', 'the engine does not listen on IPv6'],
  ])('%s cannot be reached: %s', (uri, message) => {
    const { resolver } = made(udpOnly);
    expect(() => resolver.resolve(targetOf(uri))).toThrow(new ResolveError(message));
  });
});

describe('a name with a port', () => {
  it('has addresses only: IPv4 before IPv6, by UDP unless the URI says otherwise', async () => {
    const { dns, resolve } = made();
    dns
      .address('example.com', '2001:db8::1')
      .address('example.com', '192.0.2.1')
      .address('example.com', '192.0.2.2');
    expect(await resolve('sip:example.com:5070')).toEqual([
      'udp 192.0.2.1 5070 example.com',
      'udp 192.0.2.2 5070 example.com',
      'udp 2001:db8::1 5070 example.com',
    ]);
    expect(await resolve('sip:example.com:5070;transport=tcp')).toContain('tcp 192.0.2.1 5070 example.com');
    expect(await resolve('sips:example.com:5070')).toContain('tls 192.0.2.1 5070 example.com');
    expect(dns.asked).toEqual(['a example.com', 'aaaa example.com']);
  });

  it('asks only for addresses of a family that the engine listens on', async () => {
    const { dns, resolve } = made(udpOnly);
    dns.address('example.com', '192.0.2.1').address('example.com', '2001:db8::1');
    expect(await resolve('sip:example.com:5070')).toEqual(['udp 192.0.2.1 5070 example.com']);
    expect(dns.asked).toEqual(['a example.com']);
  });
});

describe('a name with a transport', () => {
  it.each([
    ['sip:example.com;transport=udp', '_sip._udp.example.com', 'udp'],
    ['sip:example.com;transport=tcp', '_sip._tcp.example.com', 'tcp'],
    ['sip:example.com;transport=tls', '_sips._tcp.example.com', 'tls'],
    ['sips:example.com;transport=tcp', '_sips._tcp.example.com', 'tls'],
  ])('%s asks for %s', async (uri, service, transport) => {
    const { dns, resolve } = made();
    dns.server(service, 'a.example.com', 5070).address('a.example.com', '192.0.2.1');
    expect(await resolve(uri)).toEqual([`${transport} 192.0.2.1 5070 example.com`]);
    expect(dns.asked[0]).toBe(`srv ${service}`);
    expect(dns.asked.some((question) => question.startsWith('naptr'))).toBe(false);
  });

  it('without SRV records: its own addresses, at the default port', async () => {
    const { dns, resolve } = made();
    dns.address('example.com', '192.0.2.1');
    expect(await resolve('sip:example.com;transport=tcp')).toEqual(['tcp 192.0.2.1 5060 example.com']);
    expect(await resolve('sip:example.com;transport=tls')).toEqual(['tls 192.0.2.1 5061 example.com']);
  });
});

describe('a name alone', () => {
  it('NAPTR tells the transports by order and preference, SRV their servers', async () => {
    const { dns, resolve } = made();
    dns
      .rule('example.com', 20, 10, 'SIP+D2U', '_sip._udp.example.com')
      .rule('example.com', 10, 60, 'SIP+D2T', 'tcp.example.com')
      .rule('example.com', 10, 50, 'SIPS+D2T', '_sips._tcp.example.com')
      .rule('example.com', 5, 1, 'E2U+sip', 'enum.example.com')
      .server('_sip._udp.example.com', 'u.example.com', 5060)
      .server('tcp.example.com', 't.example.com', 5070)
      .server('_sips._tcp.example.com', 's.example.com', 5061)
      .address('u.example.com', '192.0.2.1')
      .address('t.example.com', '192.0.2.2')
      .address('s.example.com', '192.0.2.3');
    expect(await resolve('sip:example.com')).toEqual([
      'tls 192.0.2.3 5061 example.com',
      'tcp 192.0.2.2 5070 example.com',
      'udp 192.0.2.1 5060 example.com',
    ]);
    expect(await resolve('sips:example.com')).toEqual(['tls 192.0.2.3 5061 example.com']);
  });

  it('of NAPTR, only transports that the engine listens on count', async () => {
    const { dns, resolve } = made(udpOnly);
    dns
      .rule('example.com', 10, 10, 'SIPS+D2T', '_sips._tcp.example.com')
      .rule('example.com', 20, 10, 'SIP+D2U', '_sip._udp.example.com')
      .server('_sips._tcp.example.com', 's.example.com', 5061)
      .server('_sip._udp.example.com', 'u.example.com', 5060)
      .address('u.example.com', '192.0.2.1');
    expect(await resolve('sip:example.com')).toEqual(['udp 192.0.2.1 5060 example.com']);
    expect(dns.asked).not.toContain('srv _sips._tcp.example.com');
  });

  it('without NAPTR: SRV of all transports, UDP first', async () => {
    const { dns, resolve } = made();
    dns
      .server('_sips._tcp.example.com', 'a.example.com', 5061)
      .server('_sip._tcp.example.com', 'a.example.com', 5060)
      .server('_sip._udp.example.com', 'a.example.com', 5060)
      .address('a.example.com', '192.0.2.1');
    expect(await resolve('sip:example.com')).toEqual([
      'udp 192.0.2.1 5060 example.com',
      'tcp 192.0.2.1 5060 example.com',
      'tls 192.0.2.1 5061 example.com',
    ]);
    expect(await resolve('sips:example.com')).toEqual(['tls 192.0.2.1 5061 example.com']);
  });

  it('a resolver that cannot answer NAPTR or SRV does not stop the call', async () => {
    const { dns, resolve } = made(udpOnly);
    dns
      .set('naptr example.com', new Error('ESERVFAIL'))
      .set('srv _sip._udp.example.com', new Error('ESERVFAIL'))
      .address('example.com', '192.0.2.1');
    expect(await resolve('sip:example.com')).toEqual(['udp 192.0.2.1 5060 example.com']);
  });

  it('without any of them: its addresses, by UDP, or TLS for sips', async () => {
    const { dns, resolve } = made();
    dns.address('example.com', '192.0.2.1');
    expect(await resolve('sip:EXAMPLE.com.')).toEqual(['udp 192.0.2.1 5060 example.com']);
    expect(await resolve('sips:example.com')).toEqual(['tls 192.0.2.1 5061 example.com']);
  });

  it('a server named "." says that there is none', async () => {
    const { dns, resolve } = made(udpOnly);
    dns.server('_sip._udp.example.com', '', 0).address('example.com', '192.0.2.1');
    await expect(resolve('sip:example.com')).rejects.toThrow(
      'example.com has no address that the engine can send to',
    );
  });

  it('servers come by priority, each with all its addresses; the same one does not come twice', async () => {
    const { dns, resolve } = made();
    dns
      .server('_sip._udp.example.com', 'backup.example.com', 5060, 20)
      .server('_sip._udp.example.com', 'main.example.com', 5060, 10)
      .server('_sip._udp.example.com', 'alias.example.com', 5060, 30)
      .address('main.example.com', '192.0.2.1')
      .address('main.example.com', '2001:db8::1')
      .address('alias.example.com', '192.0.2.1')
      .address('backup.example.com', '192.0.2.2');
    expect(await resolve('sip:example.com;transport=udp')).toEqual([
      'udp 192.0.2.1 5060 example.com',
      'udp 2001:db8::1 5060 example.com',
      'udp 192.0.2.2 5060 example.com',
    ]);
  });

  it('one server whose address cannot be had leaves the others', async () => {
    const { dns, resolve } = made(udpOnly);
    dns
      .server('_sip._udp.example.com', 'lost.example.com', 5060, 1)
      .server('_sip._udp.example.com', 'a.example.com', 5060, 2)
      .set('a lost.example.com', new Error('ESERVFAIL'))
      .address('a.example.com', '192.0.2.1');
    expect(await resolve('sip:example.com')).toEqual(['udp 192.0.2.1 5060 example.com']);
  });
});

describe('a name without a dot', () => {
  it('is a machine of the DNS or of the hosts file, and no service', async () => {
    const { dns, resolve } = made();
    dns
      .address('pbx', '192.0.2.1')
      .host('pbx', '192.0.2.9')
      .host('localhost', '127.0.0.1')
      .host('localhost', '::1');
    expect(await resolve('sip:pbx')).toEqual(['udp 192.0.2.1 5060 pbx']);
    expect(await resolve('sip:localhost')).toEqual([
      'udp 127.0.0.1 5060 localhost',
      'udp ::1 5060 localhost',
    ]);
    expect(dns.asked.filter((question) => /^(naptr|srv|lookup pbx)/.test(question))).toEqual([]);
  });
});

describe('what cannot be found', () => {
  it('is said in plain words', async () => {
    const { dns, resolve } = made();
    dns.set('a down.example.com', new Error('queryA ESERVFAIL down.example.com'));
    await expect(resolve('sip:nobody.example.com:5060')).rejects.toThrow(
      new ResolveError('nobody.example.com has no address that the engine can send to'),
    );
    await expect(resolve('sip:down.example.com:5060')).rejects.toThrow(
      new ResolveError('the DNS could not tell where down.example.com is: queryA ESERVFAIL down.example.com'),
    );
    await expect(resolve(`sip:${'a'.repeat(250)}.com`)).rejects.toThrow(ResolveError);
  });

  it('costs 5 s at most, whatever the DNS does', async () => {
    const { clock, dns, resolve } = made(udpOnly);
    dns.set('naptr example.com', 'silent');
    const failed = expect(resolve('sip:example.com')).rejects.toThrow(
      'the DNS could not tell where example.com is: no answer within 5 s',
    );
    clock.advance(5_000);
    await failed;
    expect(clock.pending).toBe(0);
    expect(dns.asked).toEqual(['naptr example.com']);
  });

  it('what is known at the end of the time counts', async () => {
    const { clock, dns, resolve } = made(udpOnly);
    dns
      .server('_sip._udp.example.com', 'slow.example.com', 5060, 1)
      .server('_sip._udp.example.com', 'a.example.com', 5060, 2)
      .set('a slow.example.com', 'silent')
      .address('a.example.com', '192.0.2.1');
    const hops = resolve('sip:example.com');
    await expect.poll(() => dns.asked).toContain('a a.example.com');
    clock.advance(5_000);
    expect(await hops).toEqual(['udp 192.0.2.1 5060 example.com']);
  });
});

describe('a server that failed', () => {
  it('is tried last for 30 s', async () => {
    const { clock, dns, resolver, resolve } = made(udpOnly);
    for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.3']) dns.address('example.com', address);
    const addresses = async () =>
      (await resolve('sip:example.com:5060')).map((hop) => hop.split(' ')[1]!.slice(-1)).join('');
    expect(await addresses()).toBe('123');
    resolver.failed({ transport: 'udp', address: '192.0.2.1', port: 5060 });
    resolver.failed({ transport: 'udp', address: '192.0.2.2', port: 5099 });
    expect(await addresses()).toBe('231');
    clock.advance(29_999);
    expect(await addresses()).toBe('231');
    clock.advance(1);
    expect(await addresses()).toBe('123');
  });

  it('is still tried when there is no other', async () => {
    const { dns, resolver, resolve } = made(udpOnly);
    dns.address('example.com', '192.0.2.1');
    resolver.failed({ transport: 'udp', address: '192.0.2.1', port: 5060 });
    expect(await resolve('sip:example.com:5060')).toEqual(['udp 192.0.2.1 5060 example.com']);
  });
});

describe('answers', () => {
  it('are good for their TTL, an hour at most', async () => {
    const { clock, dns, resolve } = made(udpOnly);
    dns.address('short.example.com', '192.0.2.1', 20).address('long.example.com', '192.0.2.1', 100_000);
    const askedAt = async (name: string) => {
      await resolve(`sip:${name}:5060`);
      return dns.asked.filter((question) => question === `a ${name}`).length;
    };
    expect(await askedAt('short.example.com')).toBe(1);
    expect(await askedAt('long.example.com')).toBe(1);
    clock.advance(19_999);
    expect(await askedAt('short.example.com')).toBe(1);
    clock.advance(1);
    expect(await askedAt('short.example.com')).toBe(2);
    clock.advance(3_580_000);
    expect(await askedAt('long.example.com')).toBe(2);
  });

  it('that there is none count for 30 s, and failures for 5 s', async () => {
    const { clock, dns, stats, resolve } = made(udpOnly);
    dns.set('a down.example.com', new Error('ESERVFAIL'));
    const ask = async (name: string) => {
      await expect(resolve(`sip:${name}:5060`)).rejects.toThrow(ResolveError);
      return stats.dnsQueries;
    };
    expect(await ask('none.example.com')).toBe(1);
    expect(await ask('down.example.com')).toBe(2);
    clock.advance(4_999);
    expect(await ask('down.example.com')).toBe(2);
    clock.advance(1);
    expect(await ask('down.example.com')).toBe(3);
    expect(await ask('none.example.com')).toBe(3);
    clock.advance(25_000);
    expect(await ask('none.example.com')).toBe(4);
    expect(stats.dnsFailures).toBe(2);
  });

  it('are asked for once by all who want them at a time', async () => {
    const { dns, resolve } = made(udpOnly);
    dns.address('example.com', '192.0.2.1');
    await Promise.all(Array.from({ length: 50 }, () => resolve('sip:example.com')));
    expect(dns.asked).toEqual(['naptr example.com', 'srv _sip._udp.example.com', 'a example.com']);
  });

  it('take a bounded place: the oldest of 1,000 goes first', async () => {
    const { dns, resolve } = made(udpOnly);
    for (let i = 0; i <= 1_000; i++) {
      dns.address(`${i}.example.com`, '192.0.2.1');
      await resolve(`sip:${i}.example.com:5060`);
    }
    await resolve('sip:1.example.com:5060');
    await resolve('sip:0.example.com:5060');
    expect(dns.asked.filter((question) => question === 'a 1.example.com')).toHaveLength(1);
    expect(dns.asked.filter((question) => question === 'a 0.example.com')).toHaveLength(2);
  });

  it('are waited for by at most 100 questions', async () => {
    const { clock, dns, resolve } = made(udpOnly);
    const hanging = Array.from({ length: 100 }, (_, i) => {
      dns.set(`a ${i}.example.com`, 'silent');
      return expect(resolve(`sip:${i}.example.com:5060`)).rejects.toThrow('no answer within 5 s');
    });
    await expect(resolve('sip:more.example.com:5060')).rejects.toThrow(
      '100 questions wait for an answer already',
    );
    clock.advance(5_000);
    await Promise.all(hanging);
  });

  it('bring at most 16 hops', async () => {
    const { dns, resolve } = made(udpOnly);
    for (let server = 0; server < 20; server++) {
      dns.server('_sip._udp.example.com', `${server}.example.com`, 5060, server);
      for (let i = 1; i <= 20; i++) dns.address(`${server}.example.com`, `192.0.${server}.${i}`);
    }
    const hops = await resolve('sip:example.com');
    expect(hops).toHaveLength(16);
    expect(hops[8]).toBe('udp 192.0.1.1 5060 example.com');
    expect(dns.asked.filter((question) => question.startsWith('a '))).toHaveLength(8);
  });
});
