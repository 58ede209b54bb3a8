import { describe, expect, test } from 'vitest';
import { loadConfig, parseConfig } from '../../src/config/config.ts';

describe('store.url', () => {
  test.each([
    'sqlite:var/kallglot.db',
    'sqlite::memory:',
    'postgres://gateway:p%40ss@db.example.com:5432/kallglot?sslmode=require',
    'postgresql://db.example.com/kallglot',
  ])('takes %s', (url) => {
    expect(parseConfig({ store: { url } }).store.url).toBe(url);
  });

  test.each(['sqlite:', 'mysql://me:hunter2@db/kallglot', 'postgres://me:hunter2@db:99999/kallglot', 7])(
    'refuses %s with what is allowed, and shows no password',
    (url) => {
      const told = () => parseConfig({ store: { url } });
      expect(told).toThrow(/store\.url: .*allowed: sqlite:PATH.* or postgres:\/\/USER/);
      expect(told).not.toThrow('hunter2');
    },
  );

  test('can be set by the environment', () => {
    const url = 'postgres://db.example.com/kallglot';
    expect(loadConfig(undefined, { KALLGLOT_STORE__URL: url }).store.url).toBe(url);
  });
});
