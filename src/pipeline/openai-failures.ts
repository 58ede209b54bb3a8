import type { Failure } from './dialect.ts';

/**
 * What OpenAI's refusals and errors mean to who runs the gateway, in plain words. Pure.
 * Sources: OpenAI, "Error codes" (https://platform.openai.com/docs/guides/error-codes) and what its Realtime API has been
 * seen to send: `session_expired` after 60 minutes.
 */

const KEY = 'OpenAI does not accept the key of OPENAI_API_KEY';

/** By HTTP status, as an answer to the upgrade. */
const byStatus: ReadonlyMap<number, Failure> = new Map([
  [400, { detail: 'OpenAI takes the request for wrong (400)', permanent: true }],
  [401, { detail: `${KEY} (401)`, permanent: true }],
  [403, { detail: 'OpenAI does not let this key, or this country, use the model (403)', permanent: true }],
  [404, { detail: 'OpenAI does not know the model, or this key has no access to it (404)', permanent: true }],
  [
    429,
    {
      detail: "OpenAI's limit of this account is reached: its rate, or what is paid for (429)",
      permanent: false,
    },
  ],
]);

/** By the code of an `error` event that leaves nothing to go on with. */
const byCode: ReadonlyMap<string, Failure> = new Map([
  ['invalid_api_key', { detail: `${KEY} (invalid_api_key)`, permanent: true }],
  [
    'insufficient_quota',
    { detail: "OpenAI's account has no credit left (insufficient_quota)", permanent: true },
  ],
  [
    'model_not_found',
    {
      detail: 'OpenAI does not know the model, or this key has no access to it (model_not_found)',
      permanent: true,
    },
  ],
  [
    'session_expired',
    { detail: 'the session has lasted as long as OpenAI lets one (session_expired)', permanent: false },
  ],
]);

export interface ServiceError {
  type: string;
  code: string;
  message: string;
}

export function failureOfStatus(status: number): Failure {
  const known = byStatus.get(status);
  if (known !== undefined) return known;
  if (status >= 500) return { detail: `OpenAI has a failure of its own (${status})`, permanent: false };
  return { detail: `OpenAI refused the connection (${status})`, permanent: false };
}

/** @param isReady before that, any error means that it will not be. @returns undefined where the session goes on */
export function failureOfError({ type, code, message }: ServiceError, isReady: boolean): Failure | undefined {
  const known = byCode.get(code);
  if (known !== undefined || isReady) return known;
  return {
    detail: `OpenAI refused the session: ${message} (${code})`,
    permanent: type === 'invalid_request_error',
  };
}

/** An error's words, without the key that some of them repeat in part. */
export const withoutKey = (text: string): string => text.replace(/\bsk-[A-Za-z0-9_*.-]+/g, 'sk-…');
