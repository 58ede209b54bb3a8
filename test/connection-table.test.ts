import { describe, expect, it } from 'vitest';
import { ConnectionTable, type TabledConnection } from '../src/connection-table.ts';

class Connection implements TabledConnection {
  readonly address: string;
  isCut = false;
  used = false;

  constructor(address: string) {
    this.address = address;
  }

  inUse(): boolean {
    return this.used;
  }

  cut(): void {
    this.isCut = true;
  }
}

const from = (address: string, count: number): Connection[] =>
  Array.from({ length: count }, () => new Connection(address));

function filled(max: number, maxPerSource: number, connections: Connection[]): ConnectionTable {
  const table = new ConnectionTable(max, maxPerSource);
  for (const connection of connections) expect(table.add(connection)).toBe(true);
  return table;
}

describe('a table of connections', () => {
  it('gives a source no more than its share, and a place back when one has closed', () => {
    const [first, second, third] = from('192.0.2.1', 3) as [Connection, Connection, Connection];
    const table = filled(10, 2, [first, second]);
    expect(table.add(third)).toBe(false);
    expect(table.add(new Connection('192.0.2.2'))).toBe(true);
    table.delete(first);
    table.delete(first);
    expect(table.add(third)).toBe(true);
    expect(table.size).toBe(3);
  });

  it('counts a /64 of IPv6 as one source', () => {
    const table = filled(10, 1, [new Connection('2001:db8::1')]);
    expect(table.add(new Connection('2001:db8::2'))).toBe(false);
    expect(table.add(new Connection('2001:db8:0:1::2'))).toBe(true);
  });

  it('when full, takes a place from the source that holds most, from the one silent for longest', () => {
    const honest = new Connection('192.0.2.1');
    const [first, second, third] = from('203.0.113.9', 3) as [Connection, Connection, Connection];
    const table = filled(4, 3, [honest, first, second, third]);
    table.touch(first);
    const newcomer = new Connection('192.0.2.2');
    expect(table.add(newcomer)).toBe(true);
    expect([honest, first, second, third].map(({ isCut }) => isCut)).toEqual([false, false, true, false]);
    expect(table.size).toBe(4);
  });

  it('takes a place from an exempt source only when there is no other', () => {
    const table = new ConnectionTable(3, 1, (address) => address === '192.0.2.1');
    const known = from('192.0.2.1', 2) as [Connection, Connection];
    const stranger = new Connection('203.0.113.9');
    for (const connection of [...known, stranger]) expect(table.add(connection)).toBe(true);
    expect(table.add(new Connection('192.0.2.1'))).toBe(true);
    expect([...known, stranger].map(({ isCut }) => isCut)).toEqual([false, false, true]);
    expect(table.add(new Connection('203.0.113.8'))).toBe(true);
    expect(known.map(({ isCut }) => isCut)).toEqual([true, false]);
  });

  it('never takes the place of a call', () => {
    const held = from('192.0.2.1', 2);
    const table = filled(2, 2, held);
    for (const connection of held) connection.used = true;
    expect(table.add(new Connection('192.0.2.2'))).toBe(false);
    expect(held.some(({ isCut }) => isCut)).toBe(false);
  });
});
