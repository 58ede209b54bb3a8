import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * Short-lived tokens that carry their own proof: `<subject>.<expiry in base 36>.<HMAC-SHA256, base64url>`.
 * One form for stream tokens (contract §2) and for the pipeline's tokens (decisions §6); each has its own secret.
 */
export function signToken(secret: string, subject: string, expiresAt: number): string {
  const body = `${subject}.${Math.floor(expiresAt).toString(36)}`;
  return `${body}.${mac(secret, body)}`;
}

/**
 * @param now wall clock, ms
 * @returns the subject, or undefined when the token is forged, damaged or expired
 */
export function verifyToken(secret: string, token: string, now: number): string | undefined {
  if (token.length > 512) return undefined;
  const [subject, expiry, proof, ...rest] = token.split('.');
  if (subject === undefined || expiry === undefined || proof === undefined || rest.length > 0)
    return undefined;
  const wanted = Buffer.from(mac(secret, `${subject}.${expiry}`));
  const given = Buffer.from(proof);
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return undefined;
  return Number.parseInt(expiry, 36) > now ? subject : undefined;
}

const mac = (secret: string, body: string): string =>
  createHmac('sha256', secret).update(body).digest('base64url');
