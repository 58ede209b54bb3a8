import type { AddressRecord, Dns, Family, NaptrRecord, SrvRecord } from '../../src/sip-engine/dns.ts';

/** What the table says of one question: records, or that it never gets an answer, or what it fails with. */
type Known = readonly unknown[] | 'silent' | Error;

/** A DNS of a few records; what is not in it does not exist. */
export class FakeDns implements Dns {
  /** What was asked, in order: `srv _sip._udp.example.com`. */
  readonly asked: string[] = [];
  readonly #records = new Map<string, Known>();

  naptr = (name: string) => this.#answer<NaptrRecord>(`naptr ${name}`);
  srv = (name: string) => this.#answer<SrvRecord>(`srv ${name}`);
  addresses = (name: string, family: Family) =>
    this.#answer<AddressRecord>(`${family === 4 ? 'a' : 'aaaa'} ${name}`);
  lookup = (name: string) => this.#answer<string>(`lookup ${name}`);

  /** `rule('example.com', 10, 50, 'SIP+D2U', '_sip._udp.example.com')`; flags `s`. */
  rule(name: string, order: number, preference: number, service: string, replacement: string): this {
    return this.#add(`naptr ${name}`, { flags: 's', service, replacement, order, preference });
  }

  /** `server('_sip._udp.example.com', 'a.example.com', 5070)` */
  server(service: string, name: string, port: number, priority = 10, weight = 0): this {
    return this.#add(`srv ${service}`, { name, port, priority, weight });
  }

  address(name: string, address: string, ttl = 300): this {
    return this.#add(`${address.includes(':') ? 'aaaa' : 'a'} ${name}`, { address, ttl });
  }

  /** As the hosts file would have it. */
  host(name: string, address: string): this {
    return this.#add(`lookup ${name}`, address);
  }

  /** `set('a example.com', 'silent')` */
  set(question: string, known: Known): this {
    this.#records.set(question, known);
    return this;
  }

  #add(question: string, record: unknown): this {
    const known = this.#records.get(question);
    return this.set(question, [...(Array.isArray(known) ? known : []), record]);
  }

  async #answer<Item>(question: string): Promise<readonly Item[]> {
    this.asked.push(question);
    const known = this.#records.get(question) ?? [];
    if (known === 'silent') return new Promise(() => {});
    if (known instanceof Error) throw known;
    return known as readonly Item[];
  }
}
