import { createHmac, randomBytes } from 'node:crypto';

/** What an endpoint's receiver checks signatures with: 256 bits of chance. */
export const newSigningSecret = (): string => `whsec_${randomBytes(32).toString('base64url')}`;

/**
 * `Kallglot-Signature` of a body: HMAC-SHA256 over `{t}.{raw body}`, lower-case hex (contract §8).
 * @param at when it is sent, wall clock in ms; `t` is in seconds
 */
export function signature(secret: string, at: number, body: string): string {
  const t = Math.floor(at / 1000);
  const digest = createHmac('sha256', secret).update(`${t}.${body}`).digest('hex');
  return `t=${t},v1=${digest}`;
}
