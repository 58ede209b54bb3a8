import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A carrier that tells of calls by its voice webhook. */

export type Fields = Record<string, string>;

/** A form and its headers, as they go over the wire. */
export interface SignedForm {
  payload: string;
  headers: Record<string, string>;
}

/** What a carrier sends when a call comes in, as its documentation has it. */
export function documentedCall(carrier: 'twilio' | 'telnyx', own: Fields = {}): Fields {
  const file = join(import.meta.dirname, `../fixtures/carriers/${carrier}-voice.json`);
  return { ...(JSON.parse(readFileSync(file, 'utf8')) as { fields: Fields }).fields, ...own };
}

const form = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };

/** @param url as the carrier was given it */
export function signedByTwilio(url: string, fields: Fields, authToken: string): SignedForm {
  const sorted = Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1));
  const signature = createHmac('sha1', authToken)
    .update(url + sorted.flat().join(''))
    .digest('base64');
  return {
    payload: new URLSearchParams(fields).toString(),
    headers: { ...form, 'x-twilio-signature': signature },
  };
}

/** A Telnyx account: its public key as the portal shows it, and what it signs. */
export function telnyxAccount() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const { x = '' } = publicKey.export({ format: 'jwk' });
  return {
    publicKey: Buffer.from(x, 'base64url').toString('base64'),
    /** @param at wall clock, ms */
    signed(fields: Fields, at: number): SignedForm {
      const payload = new URLSearchParams(fields).toString();
      const timestamp = String(Math.floor(at / 1000));
      const signature = sign(null, Buffer.from(`${timestamp}|${payload}`), privateKey).toString('base64');
      const headers = { 'telnyx-timestamp': timestamp, 'telnyx-signature-ed25519': signature };
      return { payload, headers: { ...form, ...headers } };
    },
  };
}
