import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { z } from 'zod';
import {
  callsAnswer,
  sessionAnswer,
  summaryAnswer,
  transcriptAnswer,
} from '../../src/api/session-answers.ts';
import { createSessionBody, hangUpBody } from '../../src/api/session-schemas.ts';
import { type ApiFixture, openApi } from './api-fixture.ts';

type Content = Record<string, { example?: unknown; examples?: Record<string, { value: unknown }> }>;
interface Operation {
  requestBody?: { content: Content };
  responses: Record<string, { content?: Content }>;
  parameters?: { name: string; in: string }[];
  security?: object[];
}
interface Description {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { securitySchemes: object };
}

describe('/openapi.json', () => {
  let api: ApiFixture;
  let description: Description;

  beforeAll(async () => {
    api = await openApi();
    description = (await api.api.inject('/openapi.json')).json();
  });
  afterAll(() => api.close());

  test('is there without a key, in OpenAPI 3.1', () => {
    expect(description.openapi).toBe('3.1.0');
    expect(Object.keys(description.components.securitySchemes)).toEqual(['bearer', 'apiKey']);
  });

  test('names every route', () => {
    // `printRoutes` draws a tree; its flat form has a line per path: `/v1/sessions (POST)`.
    const flat = api.api.printRoutes({ commonPrefix: false, includeHooks: false });
    const documented = Object.entries(description.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`),
    );
    const routed = readTree(flat).filter((route) => !/^HEAD|^OPTIONS|openapi\.json|\*/.test(route));
    expect(routed.length).toBeGreaterThan(8);
    expect(documented.sort()).toEqual(routed.sort());
  });

  test('says of every route of an organization who may use it and how it refuses', () => {
    for (const [path, methods] of Object.entries(description.paths)) {
      if (!/^\/v1\/(?!admin\/|carriers\/)/.test(path)) continue;
      for (const operation of Object.values(methods)) {
        expect(operation.security).toEqual([{ bearer: [] }, { apiKey: [] }]);
        expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(['4XX', '5XX']));
      }
    }
    const create = description.paths['/v1/sessions']?.post;
    expect(create?.parameters?.map(({ name }) => name)).toEqual(['Idempotency-Key']);
  });

  test('shows of every route what it answers', () => {
    const silent = Object.entries(description.paths).flatMap(([path, methods]) =>
      Object.entries(methods)
        .filter(([, { responses }]) => !Object.keys(responses).some((status) => status.startsWith('2')))
        .map(([method]) => `${method.toUpperCase()} ${path}`),
    );
    expect(silent).toEqual([]);
  });

  test.each<[string, z.ZodType]>([
    ['POST /v1/sessions', createSessionBody],
    ['POST /v1/sessions 201', sessionAnswer],
    ['GET /v1/sessions/{id} 200', sessionAnswer],
    ['POST /v1/sessions/{id}/end 200', summaryAnswer],
    ['POST /v1/sessions/{id}/hangup', hangUpBody],
    ['POST /v1/sessions/{id}/hangup 200', callsAnswer],
    ['GET /v1/sessions/{id}/calls 200', callsAnswer],
    ['GET /v1/sessions/{id}/transcript 200', transcriptAnswer],
  ])('has examples for %s that its schema takes', (place, schema) => {
    const [method = '', path = '', status] = place.split(' ');
    const operation = description.paths[path]?.[method.toLowerCase()];
    const { content } = (status ? operation?.responses[status] : operation?.requestBody) ?? {};
    const { example, examples: several = {} } = content?.['application/json'] ?? {};
    const examples = example ? [example] : Object.values(several).map(({ value }) => value);
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) expect(schema.parse(example)).toEqual(example);
  });
});

/** `METHOD /path` of every route in the tree that Fastify prints. */
function readTree(tree: string): string[] {
  const stack: string[] = [];
  return tree.split('\n').flatMap((line) => {
    const match = /^([│ ]*(?:├── |└── ))(\S*)(?: \((.*)\))?/.exec(line);
    if (!match) return [];
    const [, indent = '', segment = '', methods] = match;
    const depth = indent.length / 4 - 1;
    stack.length = depth;
    stack.push(segment);
    return methods ? methods.split(', ').map((method) => `${method} ${stack.join('')}`) : [];
  });
}
