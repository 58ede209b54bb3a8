import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * Tokens that open a WebSocket for one session: the gateway's own towards the pipeline, made anew for every connection
 * (decisions §6), and those of `stream`, for clients (contract §2). Each kind has a secret of its own.
 *
 * Form: `<payload>.<signature>`, both base64url without padding. The payload is the JSON text
 * `{"session_id":"sess_…","expires_at":<unix seconds>}`; the signature is HMAC-SHA256 over the payload's base64url
 * text, keyed with the secret.
 */

/** How long a token opens a connection, in seconds. An open connection survives its expiry. */
export const TOKEN_LIFETIME_SECONDS = 300;
/** Longer texts are refused before anything is computed. */
const MAX_TOKEN_LENGTH = 1000;

/** @param now wall clock, ms */
export function signToken(secret: string, sessionId: string, now: number): string {
  const payload = JSON.stringify({
    session_id: sessionId,
    expires_at: Math.floor(now / 1000) + TOKEN_LIFETIME_SECONDS,
  });
  const text = Buffer.from(payload).toString('base64url');
  return `${text}.${signature(secret, text).toString('base64url')}`;
}

/**
 * Checks signature (in constant time) and expiry.
 * @param now wall clock, ms
 * @returns the session id that the token was made for, or undefined when it opens nothing
 */
export function verifyToken(secret: string, token: string, now: number): string | undefined {
  if (token.length > MAX_TOKEN_LENGTH) return undefined;
  const [text = '', signed = '', ...rest] = token.split('.');
  const given = Buffer.from(signed, 'base64url');
  const expected = signature(secret, text);
  if (rest.length > 0 || given.length !== expected.length || !timingSafeEqual(given, expected)) {
    return undefined;
  }
  // Signed with our secret, so the payload is one that signToken wrote.
  const payload = JSON.parse(Buffer.from(text, 'base64url').toString()) as {
    session_id: string;
    expires_at: number;
  };
  return payload.expires_at > now / 1000 ? payload.session_id : undefined;
}

function signature(secret: string, text: string): Buffer {
  return createHmac('sha256', secret).update(text).digest();
}
