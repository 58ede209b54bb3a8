import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { ConfigError, configSchema, loadConfig, parseConfig } from '../../src/config/config.ts';
import { applyEnvironment } from '../../src/config/environment.ts';

const example = join(import.meta.dirname, '../../config/gateway.yaml');

function problemsOf(settings: unknown) {
  try {
    parseConfig(settings);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('config/gateway.yaml', () => {
  test('holds the defaults', () => {
    const { workers: _, ...media } = parseConfig({}).media;
    const documented = loadConfig(example, {});
    expect({ ...documented, media: { ...documented.media, workers: undefined } }).toEqual({
      ...parseConfig({}),
      media: { ...media, workers: undefined },
    });
  });

  test('names every key, those without a default in a comment', () => {
    const text = readFileSync(example, 'utf8');
    const keys: string[] = [];
    const collect = (schema: unknown): void => {
      const { shape, element, def } = schema as {
        shape?: Record<string, unknown>;
        element?: unknown;
        def: { innerType?: unknown; out?: unknown };
      };
      if (def.innerType ?? def.out) collect(def.innerType ?? def.out);
      if (element) collect(element);
      for (const [key, inner] of Object.entries(shape ?? {})) {
        keys.push(key);
        collect(inner);
      }
    };
    collect(configSchema);
    expect(keys.filter((key) => !new RegExp(`^[ #-]*${key}:`, 'm').test(text))).toEqual([]);
  });

  test('has an organization in its comments that can be used as it is', () => {
    const text = readFileSync(example, 'utf8');
    const block = text
      .slice(text.indexOf('organizations: []'))
      .replace('organizations: []', 'organizations:');
    const { organizations } = parseConfig({
      ...parse(block.replace(/^#/gm, '')),
      store: { encryption_key: 'a-key-of-some-length' },
    });
    expect(organizations[0]).toMatchObject({ id: 'acme', sip: { username: 'acme', concurrency_limit: 100 } });
    expect(organizations[0]?.sip.outbound?.allowed_numbers).toEqual(['+1', '!+1900']);
  });
});

describe('a wrong setting', () => {
  test('is told by its path, what was found and what is allowed', () => {
    expect(problemsOf({ sip: { listen: ['udp:0.0.0.0:5060', 'sctp:x'] } })).toEqual([
      {
        path: 'sip.listen[1]',
        found: '"sctp:x"',
        allowed:
          'udp:ADDRESS:PORT, tcp:ADDRESS:PORT or tls:ADDRESS:PORT, such as udp:0.0.0.0:5060 or tls:[::]:5061',
      },
    ]);
  });

  test('is told when its key is unknown, with the keys that are allowed there', () => {
    const [problem] = problemsOf({ media: { prots: '20000-29999' } });
    expect(problem).toMatchObject({ path: 'media.prots', found: 'an unknown key' });
    expect(problem?.allowed).toContain('ports');
  });

  test.each([['udp:127.0.0.1:99999', 'udp:1.2.3:5060', 'udp:[::1:5060', '127.0.0.1:5060', '']])(
    '%s is no listening address',
    (...values) => {
      for (const value of values) expect(problemsOf({ sip: { listen: [value] } })).toHaveLength(1);
    },
  );

  test('every wrong one is told at once', () => {
    expect(
      problemsOf({ api: { listen: 'x' }, media: { workers: 0, ports: '5-6' }, nonsense: 1 }),
    ).toHaveLength(4);
  });

  test('secrets are not repeated in the message', () => {
    const organizations = [
      { id: 'a', name: 'A', api_keys: ['hunter2'], sip: { username: 'u', password: 'short' } },
    ];
    expect(() => parseConfig({ organizations })).toThrow(ConfigError);
    for (const { found } of problemsOf({ organizations })) expect(found).not.toMatch(/hunter2|short/);
  });

  test('an API key may be limited to scopes; alone it has all', () => {
    const organization = { id: 'a', name: 'A' };
    const key = 'sk_test_0123456789';
    const keysOf = (api_keys: unknown[]) =>
      parseConfig({ organizations: [{ ...organization, api_keys }] }).organizations[0]?.api_keys;
    expect(keysOf([key])).toEqual([{ key, scopes: ['*'] }]);
    const limited = { key, scopes: ['sessions:read'] };
    expect(keysOf([limited])).toEqual([limited]);
    const wrong = [{ ...limited, scopes: ['everything'] }, { key: 'hunter2' }, { ...limited, scope: 'x' }];
    const problems = problemsOf({ organizations: [{ ...organization, api_keys: wrong }] });
    expect(problems.map(({ path }) => path)).toEqual([
      'organizations[0].api_keys[0].scopes[0]',
      'organizations[0].api_keys[1].key',
      'organizations[0].api_keys[2].scope',
    ]);
    expect(problems[0]?.allowed).toContain('sessions:read');
    expect(JSON.stringify(problems)).not.toContain('hunter2');
  });

  test.each([
    [{ host: '127.1' }, 'host'],
    [{ host: 'sip.carrier.example:5060' }, 'host'],
    [{ allowed_numbers: ['+'] }, 'allowed_numbers[0]'],
    [{ allowed_numbers: ['0049'] }, 'allowed_numbers[0]'],
    [{ allowed_domains: ['*'] }, 'allowed_domains[0]'],
    [{ allowed_domains: ['*.com'] }, 'allowed_domains[0]'],
    [{ caller_id: 'sip:a@b>\r\nX: y' }, 'caller_id'],
    [{ port: 5060 }, ''],
    [{ host: 'a', username: 'u' }, ''],
    [{ host: 'a', username: 'u', password: 'hunter2' }, 'password'],
  ])('of the outbound trunk is told: %o', (outbound, key) => {
    const organizations = [{ id: 'a', name: 'A', sip: { outbound } }];
    const [problem, ...others] = problemsOf({ organizations });
    expect(problem?.path).toBe(['organizations[0].sip.outbound', key].filter(Boolean).join('.'));
    expect(others).toEqual([]);
    expect(JSON.stringify(problem)).not.toContain('hunter2');
  });

  test.each([
    [[], 'organizations[0].sip.codecs'],
    [['pcmu'], 'organizations[0].sip.codecs[0]'],
    [['PCMU', 'opus', 'PCMU'], 'organizations[0].sip.codecs'],
  ])('of a list of codecs is told: %o', (codecs, path) => {
    const problems = problemsOf({ organizations: [{ id: 'a', name: 'A', sip: { codecs } }] });
    expect(problems.map((one) => one.path)).toEqual([path]);
    const good = problemsOf({ organizations: [{ id: 'a', name: 'A', sip: { codecs: ['opus', 'PCMU'] } }] });
    expect(good).toEqual([]);
  });

  test('TLS needs a certificate and its key, and client certificates a CA', () => {
    const tls = { listen: ['udp:0.0.0.0:5060', 'tls:[::]:5061'] };
    expect(problemsOf({ sip: tls })).toEqual([
      {
        path: 'sip.tls.certificate',
        found: 'nothing',
        allowed: 'the path of a PEM file, for tls:[::]:5061 in sip.listen',
      },
      {
        path: 'sip.tls.key',
        found: 'nothing',
        allowed: 'the path of a PEM file, for tls:[::]:5061 in sip.listen',
      },
    ]);
    const files = { certificate: 'cert.pem', key: 'key.pem' };
    expect(problemsOf({ sip: { ...tls, tls: files } })).toEqual([]);
    expect(problemsOf({ sip: { ...tls, tls: { ...files, client_certificates: 'off' } } })).toEqual([]);
    const [problem] = problemsOf({ sip: { ...tls, tls: { ...files, client_certificates: 'required' } } });
    expect(problem).toMatchObject({ path: 'sip.tls.ca', found: 'nothing' });
    expect(problemsOf({ sip: { ...tls, engine: 'drachtio' } })).toEqual([]);
  });

  test('one drachtio-server may stand without a list, and problems name it as it was written', () => {
    const listen = { port: 9024, certificate: 'cert.pem' };
    const drachtio = (servers: unknown) => ({ sip: { engine: 'drachtio', drachtio: servers } });
    expect(problemsOf(drachtio({ port: 0, hots: 'x' }))).toMatchObject([
      { path: 'sip.drachtio.port', found: '0', allowed: 'a port from 1 to 65535' },
      { path: 'sip.drachtio.hots', found: 'an unknown key' },
    ]);
    expect(problemsOf(drachtio([{}, { secret: 'a|b' }]))).toMatchObject([
      { path: 'sip.drachtio[1].secret', found: 'a value that does not fit (not shown)' },
    ]);
    expect(problemsOf(drachtio({ ca: 'ca.pem', listen }))).toMatchObject([
      { path: 'sip.drachtio.tls', found: 'ca or server_name, and no TLS' },
      { path: 'sip.drachtio.listen', found: 'one of certificate and key' },
    ]);
    const local = { host: '127.0.0.1' };
    expect(problemsOf(drachtio([local, { ...local, port: 9032 }, {}]))).toMatchObject([
      { path: 'sip.drachtio[2].host', found: '127.0.0.1:9022 a second time' },
    ]);
  });

  test('two organizations cannot share an id, a username or a key', () => {
    const one = {
      id: 'a',
      name: 'A',
      api_keys: ['sk_test_0123456789'],
      sip: { username: 'u', password: 'long enough' },
    };
    expect(problemsOf({ organizations: [one, one] }).map((problem) => problem.path)).toEqual([
      'organizations[1].id',
      'organizations[1].api_keys',
      'organizations[1].sip.username',
    ]);
  });
});

describe('environment variables', () => {
  test('override the file, lists with commas', () => {
    const config = loadConfig(example, {
      KALLGLOT_SIP__LISTEN: 'udp:127.0.0.1:5070, tcp:[::1]:5070',
      KALLGLOT_MEDIA__WORKERS: '3',
      KALLGLOT_SIP__DRACHTIO__SECRET: '12345',
      KALLGLOT_PIPELINE__EXTENSIONS: 'true',
      HOME: '/root',
    });
    expect(config.sip.listen).toEqual(['udp:127.0.0.1:5070', 'tcp:[::1]:5070']);
    expect(config.media.workers).toBe(3);
    expect(config.sip.drachtio[0]?.secret).toBe('12345');
    expect(config.pipeline.extensions).toBe(true);
  });

  test('set a key of every drachtio-server', () => {
    const set = (drachtio: unknown) =>
      parseConfig(
        applyEnvironment(configSchema, { sip: { drachtio } }, { KALLGLOT_SIP__DRACHTIO__PORT: '9999' }),
      ).sip.drachtio.map(({ host, port }) => [host, port]);
    expect(set({ host: 'a' })).toEqual([['a', 9999]]);
    expect(set([{ host: 'a' }, { host: 'b' }])).toEqual([
      ['a', 9999],
      ['b', 9999],
    ]);
  });

  test('that name no key stop the start', () => {
    expect(() => loadConfig(undefined, { KALLGLOT_SIP__LISTNE: 'x' })).toThrow(
      /sip\.listne: found an unknown key/,
    );
  });
});

describe('the file', () => {
  test('that is missing or no YAML is told by its name', () => {
    expect(() => loadConfig('/nowhere/gateway.yaml', {})).toThrow(/\/nowhere\/gateway\.yaml/);
    const file = join(mkdtempSync(join(tmpdir(), 'config-')), 'broken.yaml');
    writeFileSync(file, 'sip: [unclosed');
    expect(() => loadConfig(file, {})).toThrow(/a readable YAML file/);
  });
});
