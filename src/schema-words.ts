import { z } from 'zod';

export const MISSING = 'is missing';

/**
 * What is said of a value that does not fit its schema, where the schema says nothing itself: `is missing`, `must be one of
 * sip or webrtc`. In one voice for all that is checked: the bodies of the API and the configuration. To be imported where it counts.
 */
z.config({
  customError: (issue) => {
    switch (issue.code) {
      case 'invalid_type':
        return issue.input === undefined
          ? MISSING
          : `must be ${kinds[issue.expected] ?? `of type ${issue.expected}`}`;
      case 'invalid_value':
        return `must be ${anyOf(issue.values.map(String))}`;
      case 'too_small':
        return `must ${sized(issue.origin, 'at least', issue.minimum)}`;
      case 'too_big':
        return `must ${sized(issue.origin, 'at most', issue.maximum)}`;
      case 'invalid_key':
        return issue.issues[0]?.message;
      default:
        return undefined;
    }
  },
});

/** By zod's names of types. */
const kinds: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};

function anyOf(values: readonly string[]): string {
  const last = values.at(-1) ?? '';
  return values.length < 2 ? last : `one of ${values.slice(0, -1).join(', ')} or ${last}`;
}

/** @param bound `at least` or `at most` */
function sized(origin: string, bound: string, limit: number | bigint): string {
  if (origin === 'string') return `have ${bound} ${limit} characters`;
  return origin === 'array' || origin === 'set' ? `have ${bound} ${limit} entries` : `be ${bound} ${limit}`;
}
