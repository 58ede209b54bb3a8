import { randomFillSync } from 'node:crypto';
import { ulid as ulidOf } from 'ulid';

/**
 * Typed ids: a prefix that names the kind and a ULID (26 characters of Crockford base 32, sortable by time).
 * Source: contract §1 (id prefixes), decisions §1.
 */
export type SessionId = `sess_${string}`;
export type LegId = `leg_${string}`;
export type RequestId = `req_${string}`;
/** Of a call to a self-test number. */
export type TestId = `test_${string}`;

/** Random bytes that are still to be used: asking the system for each of them would cost more than all else in an id. */
const pool = new Uint8Array(4096);
let used = pool.length;

function random(): number {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  return pool[used++]! / 256;
}

const ulid = (): string => ulidOf(undefined, random);

const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

export const newSessionId = (): SessionId => `sess_${ulid()}`;
export const newLegId = (): LegId => `leg_${ulid()}`;
export const newTestId = (): TestId => `test_${ulid()}`;
export const newRequestId = (): RequestId => `req_${ulid()}`;
export const newEventId = (): string => `evt_${ulid()}`;
export const newDeliveryId = (): string => `wh_del_${ulid()}`;
export const newWebhookId = (): string => `wh_${ulid()}`;
export const newConnectionId = (): string => `pcon_${ulid()}`;
export const newNumberId = (): string => `num_${ulid()}`;
export const newKeyId = (): string => `key_${ulid()}`;

/** A session has one transcript, whose id follows from its own. */
export const transcriptIdOf = (id: SessionId): string => `trn_${id.slice('sess_'.length)}`;

export const isLegId = (text: string): text is LegId => text.startsWith('leg_') && ULID.test(text.slice(4));

/**
 * Reads a session id as a person, a URL or a PBX may write it: the ULID is matched without regard to case.
 * @returns the id in its canonical form, or undefined when the text is not one.
 */
export function parseSessionId(text: string): SessionId | undefined {
  if (text.length !== 31 || text.slice(0, 5).toLowerCase() !== 'sess_') return undefined;
  const id = text.slice(5).toUpperCase();
  return ULID.test(id) ? `sess_${id}` : undefined;
}
