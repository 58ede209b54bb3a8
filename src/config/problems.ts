import type { z } from 'zod';
import { schemaAt } from './environment.ts';

/** One thing that is wrong in the settings: where, what was found, what is allowed. */
export interface Problem {
  path: string;
  found: string;
  allowed: string;
}

/** Turns zod's issues into words that an operator understands, a problem per key. */
export function configurationProblems(schema: z.ZodType, settings: unknown, error: z.ZodError): Problem[] {
  return error.issues.flatMap((issue): Problem[] => {
    if (issue.code === 'unrecognized_keys') {
      const here = schemaAt(schema, issue.path) as unknown as { shape?: object } | undefined;
      const keys = Object.keys(here?.shape ?? {}).join(', ');
      return issue.keys.map((key) => ({
        path: pathText([...issue.path, key]),
        found: 'an unknown key',
        allowed: `one of ${keys}`,
      }));
    }
    const words = schemaAt(schema, issue.path)?.meta()?.allowed;
    return [
      {
        path: pathText(issue.path),
        found: valueText(settings, issue.path),
        allowed: typeof words === 'string' ? words : issue.message,
      },
    ];
  });
}

function pathText(path: readonly PropertyKey[]): string {
  if (path.length === 0) return '(top level)';
  return path
    .map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i === 0 ? '' : '.'}${String(key)}`))
    .join('');
}

/** What stands there, cut short; secrets are not repeated in a message that may land in a log. */
function valueText(settings: unknown, path: readonly PropertyKey[]): string {
  if (/password|secret|api_keys/.test(path.map(String).join('.')))
    return 'a value that does not fit (not shown)';
  let value = settings;
  for (const key of path) value = (value as Record<PropertyKey, unknown> | undefined)?.[key];
  return value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 100);
}
