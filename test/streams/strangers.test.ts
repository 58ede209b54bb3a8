import { expect, test } from 'vitest';
import { Strangers } from '../../src/streams/strangers.ts';

test('one address holds 50 places at most, all together 500, and each comes back once', () => {
  const strangers = new Strangers();
  const leave = Array.from({ length: 50 }, () => strangers.enter('192.0.2.1'));
  expect(() => strangers.enter('192.0.2.1')).toThrow(expect.objectContaining({ code: 'overloaded' }));
  leave[0]?.();
  leave[0]?.();
  strangers.enter('192.0.2.1');
  expect(() => strangers.enter('192.0.2.1')).toThrow();
  for (let address = 2; address <= 10; address++)
    for (let i = 0; i < 50; i++) strangers.enter(`192.0.2.${address}`);
  expect(() => strangers.enter('192.0.2.11')).toThrow(expect.objectContaining({ code: 'overloaded' }));
});
