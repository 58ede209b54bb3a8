import { parse as parseYaml } from 'yaml';
import type { z } from 'zod';

const PREFIX = 'KALLGLOT_';

/**
 * Lays environment variables over settings: `KALLGLOT_SIP__LISTEN=udp:127.0.0.1:5060,tcp:127.0.0.1:5060` sets
 * `sip.listen`. Two underscores separate levels; a list is written with commas or as YAML, and a key below a list
 * (`KALLGLOT_SIP__DRACHTIO__SECRET`) is set in each of its items. A variable that names no key is kept, so that the schema complains about it like about a wrong key in the file.
 */
export function applyEnvironment(
  schema: z.ZodType,
  settings: unknown,
  environment: NodeJS.ProcessEnv,
): unknown {
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) return settings;
  const result = structuredClone(settings) as Record<string, unknown>;
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith(PREFIX) || value === undefined) continue;
    const path = name.slice(PREFIX.length).toLowerCase().split('__');
    setAt(result, path, readValue(schemaAt(schema, path), value));
  }
  return result;
}

/** The schema of one key, with `default`, `optional`, `preprocess` and the like taken off; undefined for an unknown key. */
export function schemaAt(schema: z.ZodType, path: readonly PropertyKey[]): z.ZodType | undefined {
  let current: z.ZodType | undefined = unwrap(schema);
  for (const key of path) {
    if (current === undefined) return undefined;
    const { shape, element } = current as unknown as {
      shape?: Record<PropertyKey, z.ZodType>;
      element?: z.ZodType;
    };
    const keys = shape ?? (element && (unwrap(element) as unknown as { shape?: typeof shape }).shape);
    const next: z.ZodType | undefined = typeof key === 'number' ? element : keys?.[key];
    current = next && unwrap(next);
  }
  return current;
}

function unwrap(schema: z.ZodType): z.ZodType {
  let current = schema;
  for (;;) {
    const { innerType, out } = current.def as { innerType?: z.ZodType; out?: z.ZodType };
    const inner = innerType ?? out;
    if (inner === undefined) return current;
    current = inner;
  }
}

/** Text where the key takes text, else YAML (numbers, true, lists), else a list with commas. */
function readValue(schema: z.ZodType | undefined, value: string): unknown {
  if (schema === undefined || schema.safeParse(value).success) return value;
  const parsed = readYaml(value);
  if (schema.safeParse(parsed).success) return parsed;
  return schema.def.type === 'array' && !Array.isArray(parsed)
    ? value.split(',').map((item) => item.trim())
    : parsed;
}

/** What is no YAML stays text, and the schema says what is wrong with it. */
function readYaml(value: string): unknown {
  try {
    return parseYaml(value);
  } catch {
    return value;
  }
}

function setAt(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [key = '', ...rest] = path;
  if (rest.length === 0) {
    target[key] = value;
    return;
  }
  const inner = target[key];
  if (Array.isArray(inner)) {
    for (const item of inner) if (typeof item === 'object' && item !== null) setAt(item, rest, value);
    return;
  }
  const next = typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>) : {};
  target[key] = next;
  setAt(next, rest, value);
}
