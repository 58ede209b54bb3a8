import { describe, expect, test } from 'vitest';
import { Sealer } from '../src/sealing.ts';

describe('a sealed text', () => {
  const sealed = new Sealer('the key').seal('secret', 'row 1');

  test('is read again with the key it was sealed with, and does not show what it holds', () => {
    expect(new Sealer('the key').open(sealed, 'row 1')).toBe('secret');
    expect(sealed).not.toContain('secret');
    expect(new Sealer('the key').seal('secret', 'row 1')).not.toBe(sealed);
  });

  test('is still read after a new key has come, as long as the old one is known', () => {
    expect(new Sealer('a new key', 'the key').open(sealed, 'row 1')).toBe('secret');
  });

  test.each([
    ['with another key', new Sealer('another key'), sealed, 'row 1'],
    ['in another row', new Sealer('the key'), sealed, 'row 2'],
    ['when it was changed', new Sealer('the key'), `${sealed.slice(0, -2)}AA`, 'row 1'],
    ['when it is none', new Sealer('the key'), 'v1.x', 'row 1'],
  ])('is not read %s', (_how, sealer, text, context) => {
    expect(() => sealer.open(text, context)).toThrow();
  });
});
