import { isUtf8 } from 'node:buffer';
import type { z } from 'zod';

/**
 * How a text frame is read, whatever the dialect: as JSON that names what it is, then as the schema of that. Pure; never
 * throws: what is wrong is in the result.
 */

/** Anything but audio is short; a longer message is of no dialect. */
export const MAX_CONTROL_BYTES = 64 * 1024;

export interface Unusable {
  problem: string;
}

/** @param key under which a message has its name @returns the name, and the whole message */
export function readNamed(frame: Buffer, key: string): { name: string; json: object } | Unusable {
  if (!isUtf8(frame)) return { problem: 'not UTF-8' };
  let json: unknown;
  try {
    json = JSON.parse(frame.toString());
  } catch {
    return { problem: 'not JSON' };
  }
  if (json === null || typeof json !== 'object') return { problem: `no ${key}` };
  const name = (json as Readonly<Record<string, unknown>>)[key];
  return typeof name === 'string' ? { name, json } : { problem: `no ${key}` };
}

export function readAs<T>(schema: z.ZodType<T>, json: object): { read: T } | Unusable {
  const result = schema.safeParse(json);
  if (result.success) return { read: result.data };
  const issue = result.error.issues[0];
  return { problem: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}` };
}
