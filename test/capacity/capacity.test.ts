import { beforeEach, describe, expect, test } from 'vitest';
import { Capacity, type Resource } from '../../src/capacity/capacity.ts';

const limits: Record<Resource, number> = {
  calls: 100,
  rtp_ports: 20,
  event_loop_delay_ms: 200,
  engine_delay_ms: 800,
  media_delay_ms: 40,
  media_busy_percent: 90,
  memory_percent: 90,
};

let capacity: Capacity;
beforeEach(() => {
  capacity = new Capacity(limits);
});
/** The same measurement, ten times a second. */
const hold = (resource: Resource, value: number, seconds: number) => {
  for (let i = 0; i < seconds * 10; i++) capacity.tell(resource, value);
};

describe('the capacity of a node', () => {
  test('is there at the start', () => {
    expect(capacity.isExhausted()).toBe(false);
  });

  test.each<[Resource, number, number]>([
    ['calls', 99, 100],
    ['rtp_ports', 19, 20],
    ['memory_percent', 89.9, 90],
    ['engine_delay_ms', 799, 800],
  ])('is exhausted from the limit of %s on', (resource, below, at) => {
    expect([capacity.tell(resource, below), capacity.isExhausted()]).toEqual([false, false]);
    expect([capacity.tell(resource, at), capacity.isExhausted()]).toEqual([true, true]);
    expect(capacity.state(resource)).toEqual({ value: at, limit: at, exhausted: true });
  });

  test.each<[Resource, number]>([
    ['event_loop_delay_ms', 300],
    ['media_delay_ms', 60],
    ['media_busy_percent', 100],
  ])('is exhausted by %s that lasts, and free again some time after it', (resource, high) => {
    hold(resource, high, 5);
    expect(capacity.isExhausted()).toBe(true);
    hold(resource, 0, 3);
    expect(capacity.isExhausted()).toBe(false);
  });

  test('is not exhausted by a single stall, however long', () => {
    for (const resource of ['event_loop_delay_ms', 'media_delay_ms', 'media_busy_percent'] as const)
      capacity.tell(resource, 60_000);
    expect(capacity.isExhausted()).toBe(false);
  });

  test('does not flap: what is exhausted has to fall well below its limit', () => {
    capacity.tell('calls', 100);
    expect([capacity.tell('calls', 99), capacity.tell('calls', 96)]).toEqual([false, false]);
    expect(capacity.isExhausted()).toBe(true);
    expect([capacity.tell('calls', 95), capacity.isExhausted()]).toEqual([true, false]);
    expect(capacity.tell('calls', 99)).toBe(false);
    hold('event_loop_delay_ms', 300, 5);
    hold('event_loop_delay_ms', 150, 10);
    expect(capacity.isExhausted()).toBe(true);
  });

  test('of one call is free again when that has ended', () => {
    const one = new Capacity({ ...limits, calls: 1 });
    one.tell('calls', 1);
    expect(one.isExhausted()).toBe(true);
    one.tell('calls', 0);
    expect(one.isExhausted()).toBe(false);
  });

  test('is exhausted while any of them is', () => {
    capacity.tell('calls', 100);
    capacity.tell('rtp_ports', 20);
    expect(capacity.isExhausted('rtp_ports')).toBe(true);
    capacity.tell('calls', 0);
    expect([capacity.isExhausted(), capacity.isExhausted('rtp_ports')]).toEqual([true, false]);
    capacity.tell('rtp_ports', 0);
    expect(capacity.isExhausted()).toBe(false);
  });
});
