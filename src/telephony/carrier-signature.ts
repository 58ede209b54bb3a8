import { createHmac, createPublicKey, timingSafeEqual, verify } from 'node:crypto';

/** A request of a carrier that tells of a call, as far as its signature covers it. */
export interface SignedWebhook {
  /** The address that the carrier was given, with its query: the public one, which a proxy may have changed since. */
  url: string;
  /** As it came; `application/x-www-form-urlencoded`. */
  body: Buffer;
  /** The header `X-Twilio-Signature` or `telnyx-signature-ed25519`. */
  signature: string | undefined;
  /** The header `telnyx-timestamp`, Unix seconds; Twilio signs none. */
  timestamp: string | undefined;
}

/** How old a signature with a time may be, or how far ahead the carrier's clock. */
const TOLERANCE_SECONDS = 300;

/**
 * Twilio signs by HMAC-SHA1, keyed with the account's auth token, over the address and then each parameter of the form,
 * its name and its value, in the order of the names. A name that comes several times is taken once per value, in order.
 * Whether a port is part of the address differs, so each form of it counts. Calls are told by forms alone: the variant
 * for JSON bodies (`bodySHA256`) is that of other products.
 * Source: www.twilio.com/docs/usage/security.
 */
export function isSignedByTwilio({ url, body, signature }: SignedWebhook, authToken: string): boolean {
  const fields = new URLSearchParams(body.toString());
  const names = [...new Set(fields.keys())].sort();
  const text = names
    .flatMap((name) => [...new Set(fields.getAll(name))].sort().map((value) => name + value))
    .join('');
  const given = Buffer.from(signature ?? '', 'base64');
  return formsOf(url)
    .map((form) => createHmac('sha1', authToken).update(form).update(text).digest())
    .map((expected) => given.length === expected.length && timingSafeEqual(given, expected))
    .includes(true);
}

/** An address as it is, without its port, and with it where it is the scheme's own. */
function formsOf(url: string): string[] {
  const [, scheme = '', host = '', port, rest = ''] =
    /^(https?:\/\/)([^/?#]*?)(:\d+)?([/?#].*)?$/.exec(url) ?? [];
  const standard = scheme === 'https://' ? ':443' : ':80';
  return [...new Set([port ?? '', '', port ?? standard])].map((one) => scheme + host + one + rest);
}

/**
 * Telnyx signs by Ed25519 over `<timestamp>|<body>`; the address is no part of it.
 * @param publicKey of the account, base64 of its 32 bytes
 * @param now wall clock, ms
 * Source: developers.telnyx.com/development/api-fundamentals/webhooks/receiving-webhooks.
 */
export function isSignedByTelnyx(
  { body, signature = '', timestamp = '' }: SignedWebhook,
  publicKey: string,
  now: number,
): boolean {
  if (!/^\d{1,12}$/.test(timestamp) || Math.abs(now / 1000 - Number(timestamp)) > TOLERANCE_SECONDS)
    return false;
  const x = Buffer.from(publicKey, 'base64').toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  const signed = Buffer.concat([Buffer.from(`${timestamp}|`), body]);
  return verify(null, signed, key, Buffer.from(signature, 'base64'));
}
