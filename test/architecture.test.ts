import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, test } from 'vitest';

const src = join(import.meta.dirname, '../src');

/** Which rooms a room may import. Everybody may import the base; the parts list (gateway and its options) imports all. */
const base = [
  'address-bytes',
  'api-errors',
  'clock',
  'config',
  'connection-table',
  'digest-hash',
  'drachtio-frames',
  'dtmf',
  'errors',
  'ids',
  'local-addresses',
  'providers',
  'roles',
  'schema-words',
  'sealing',
  'session-defaults',
  'session-token',
  'source-network',
  'srtp',
  'telemetry',
];
const mayImport: Record<string, readonly string[]> = {
  'sip-engine': [],
  sip: ['admission', 'bridge', 'sdp', 'self-test', 'sessions'],
  admission: [],
  capacity: [],
  sdp: [],
  bridge: ['media', 'pipeline', 'sessions'],
  'self-test': ['media', 'store'],
  audio: [],
  media: ['audio'],
  pipeline: ['audio'],
  streams: ['audio', 'bridge', 'sessions'],
  sessions: ['store'],
  telephony: ['store'],
  store: [],
  webhooks: ['store'],
  api: ['sessions', 'telephony', 'bridge', 'self-test', 'webhooks'],
};
const partsList = ['main', 'gateway', 'gateway-api', 'parts', 'room-options'];

const roomOf = (file: string): string => (relative(src, file).split('/')[0] as string).replace(/\.ts$/, '');

const files = globSync('**/*.ts', { cwd: src }).map((file) => join(src, file));
const imports = files.flatMap((file) =>
  [...readFileSync(file, 'utf8').matchAll(/from '(\.[^']+)'/g)].map((match) => ({
    file,
    target: normalize(join(dirname(file), match[1] as string)),
  })),
);

describe('the rooms of the house', () => {
  test('import only what the table allows them', () => {
    const wrong = imports
      .map(({ file, target }) => ({ from: roomOf(file), to: roomOf(target), file: relative(src, file) }))
      .filter(({ from, to }) => from !== to && !partsList.includes(from) && !base.includes(to))
      .filter(({ from, to }) => base.includes(from) || !mayImport[from]?.includes(to));
    expect(wrong).toEqual([]);
  });

  test('are all in the table', () => {
    const rooms = new Set(files.map(roomOf));
    expect(
      [...rooms].filter((room) => !(room in mayImport) && ![...base, ...partsList].includes(room)),
    ).toEqual([]);
  });

  test('have no cycles of imports, types apart', () => {
    const runtime = new Map<string, string[]>();
    for (const file of files) {
      const text = readFileSync(file, 'utf8');
      const targets = [...text.matchAll(/^(?:import|export) (?!type )[^;]*?from '(\.[^']+)'/gms)];
      runtime.set(
        file,
        targets.map((match) => normalize(join(dirname(file), match[1] as string))),
      );
    }
    const done = new Set<string>();
    const visit = (file: string, path: string[]): void => {
      if (path.includes(file)) throw new Error([...path, file].map((one) => relative(src, one)).join(' → '));
      if (done.has(file)) return;
      for (const next of runtime.get(file) ?? []) visit(next, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
    expect(done.size).toBe(files.length);
  });

  test('keep their files short enough to be read', () => {
    const long = files.filter((file) => readFileSync(file, 'utf8').split('\n').length > 400);
    expect(long.map((file) => relative(src, file))).toEqual([]);
  });
});
