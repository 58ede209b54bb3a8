import type { FastifyInstance } from 'fastify';
import { ApiError } from '../errors.ts';

/** Deeper than any request needs, and far from where recursion ends. */
const DEEPEST = 64;

/**
 * Takes JSON bodies and no others. An empty one is none: `POST …/end` has no body, but many clients name a content type
 * all the same.
 */
export function acceptJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    try {
      done(null, body === '' ? undefined : parse(body as string));
    } catch (error) {
      done(error as Error);
    }
  });
}

/** @throws ApiError `malformed_body` */
function parse(text: string): unknown {
  if (isDeeperThan(DEEPEST, text)) {
    throw new ApiError('malformed_body', { message: `The body is nested more than ${DEEPEST} levels deep.` });
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    const words = (error as Error).message;
    throw new ApiError('malformed_body', { message: `The body is not valid JSON: ${words}` });
  }
}

function isDeeperThan(most: number, text: string): boolean {
  let depth = 0;
  // A string without an end is taken to the end of the text: nothing is looked at twice.
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"?|[[{]|[\]}]/gs)) {
    if (token === '[' || token === '{') depth++;
    else if (token === ']' || token === '}') depth--;
    if (depth > most) return true;
  }
  return false;
}
