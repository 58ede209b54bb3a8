import type { z } from 'zod';
import { MISSING } from '../schema-words.ts';
import { schemaAt } from './environment.ts';

/** One thing that is wrong in the settings: where, what was found, what is allowed. */
export interface Problem {
  path: string;
  found: string;
  allowed: string;
}

/** @param seen takes the value in @returns the problem where it was there @param shown in place of a secret */
export function repeated(seen: Set<string>, value: string, path: string, shown = value): Problem[] {
  const known = seen.has(value);
  seen.add(value);
  return known ? [{ path, found: `${shown} a second time`, allowed: 'a value used once' }] : [];
}

/** Turns zod's issues into words that an operator understands, a problem per key. */
export function configurationProblems(schema: z.ZodType, settings: unknown, error: z.ZodError): Problem[] {
  return error.issues.flatMap((issue): Problem[] => {
    if (issue.code === 'unrecognized_keys') {
      const here = schemaAt(schema, issue.path) as unknown as { shape?: object } | undefined;
      const keys = Object.keys(here?.shape ?? {}).join(', ');
      return issue.keys.map((key) => ({
        path: pathText([...asWritten(settings, issue.path), key]),
        found: 'an unknown key',
        allowed: `one of ${keys}`,
      }));
    }
    const meta = schemaAt(schema, issue.path)?.meta();
    const words = meta?.allowed;
    const path = asWritten(settings, issue.path);
    return [
      {
        path: pathText(path),
        found: meta?.secret ? 'a value that does not fit (not shown)' : valueText(settings, path),
        allowed: typeof words === 'string' ? words : allowedText(issue.message),
      },
    ];
  });
}

const allowedText = (message: string): string =>
  message === MISSING ? 'a value' : message.replace(/^must be /, '');

/** The path without the places of items that stand alone, where a list may be left out. */
function asWritten(settings: unknown, path: readonly PropertyKey[]): PropertyKey[] {
  const written: PropertyKey[] = [];
  let value = settings;
  for (const key of path) {
    if (key === 0 && typeof value === 'object' && value !== null && !Array.isArray(value)) continue;
    written.push(key);
    value = (value as Record<PropertyKey, unknown> | undefined)?.[key];
  }
  return written;
}

function pathText(path: readonly PropertyKey[]): string {
  if (path.length === 0) return '(top level)';
  return path
    .map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i === 0 ? '' : '.'}${String(key)}`))
    .join('');
}

/** What stands there, cut short; of a map or a list only that it is one, for it may hold secrets. */
function valueText(settings: unknown, path: readonly PropertyKey[]): string {
  let value = settings;
  for (const key of path) value = (value as Record<PropertyKey, unknown> | undefined)?.[key];
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' && value !== null ? 'a map' : JSON.stringify(value).slice(0, 100);
}
