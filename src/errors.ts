/**
 * The tables of everything that can go wrong or come to an end: refusals of SIP requests and the ends of a leg; those of the
 * REST API stand in `api-errors.ts`. A code stands here once, with its SIP status, its Q.850 cause and its words; everybody
 * else names the code. Sources: decisions §3, §4, §7; ITU-T Q.850.
 */

import { ApiError, type ApiErrorCode } from './api-errors.ts';
import { codecNames } from './config/codecs.ts';

export { ApiError, apiErrors, envelopeOf } from './api-errors.ts';

interface RefusalRow {
  /** SIP status of the final response. */
  readonly status: number;
  /** Q.850 cause for the `Reason` header. */
  readonly cause: number;
  /** Plain words for the PBX's administrator. */
  readonly text: string;
  /**
   * Whether the response names the code in `X-Kallglot-Error` and `Reason`: rows 1 to 3 tell a stranger nothing. What may come
   * later as well is named where it does.
   */
  readonly named: boolean;
  /** Seconds for `Retry-After`, where the caller may try again. */
  readonly retryAfter?: number;
}

const refusalTable = {
  draining: { status: 503, cause: 41, text: 'this gateway is shutting down', named: false, retryAfter: 5 },
  overloaded: { status: 503, cause: 42, text: 'this gateway is at its limit', named: false, retryAfter: 10 },
  method_not_allowed: { status: 405, cause: 79, text: 'method not allowed', named: false },
  extension_required: { status: 420, cause: 79, text: 'extension not supported', named: false },
  content_type_unsupported: { status: 415, cause: 79, text: 'content type not supported', named: false },
  message_too_large: { status: 513, cause: 95, text: 'message too large', named: false },
  bad_request: { status: 400, cause: 95, text: 'malformed request', named: false },
  credentials_required: { status: 401, cause: 21, text: 'credentials required', named: false },
  credentials_invalid: { status: 403, cause: 21, text: 'wrong credentials', named: false },
  signature_invalid: { status: 403, cause: 21, text: 'not signed by a known carrier account', named: false },
  banned: { status: 403, cause: 21, text: 'source is banned', named: false },
  not_a_session: {
    status: 404,
    cause: 1,
    text: 'the called address is not a session of this gateway',
    named: true,
  },
  role_invalid: { status: 400, cause: 95, text: 'the role must be customer or agent', named: true },
  phone_number_not_found: { status: 404, cause: 1, text: 'the called number belongs to nobody', named: true },
  session_not_found: { status: 404, cause: 1, text: 'no such session', named: true },
  organization_inactive: { status: 403, cause: 21, text: 'the organization is not active', named: true },
  sip_not_enabled: { status: 403, cause: 29, text: 'SIP is not enabled for this organization', named: true },
  ip_not_allowed: { status: 403, cause: 21, text: 'the source address is not on the allowlist', named: true },
  tls_required: { status: 403, cause: 21, text: 'this trunk must use TLS', named: true },
  session_not_sip: { status: 403, cause: 21, text: 'the session was not routed to SIP', named: true },
  session_ended: { status: 410, cause: 31, text: 'the session has ended', named: true },
  role_taken: {
    status: 486,
    cause: 17,
    text: 'the role is taken by another call, or the mode has no such role',
    named: true,
  },
  concurrency_limit: {
    status: 486,
    cause: 17,
    text: 'the limit of concurrent calls is reached',
    named: true,
  },
  sdp_invalid: { status: 400, cause: 95, text: 'the SDP cannot be understood', named: true },
  no_common_codec: {
    status: 488,
    cause: 88,
    text: `no codec in common (${codecNames.join(', ')})`,
    named: true,
  },
  srtp_required: { status: 488, cause: 88, text: 'this trunk must use SRTP', named: true },
  no_media_ports: { status: 503, cause: 34, text: 'no RTP port is free', named: true, retryAfter: 5 },
  pipeline_unavailable: {
    status: 480,
    cause: 41,
    text: 'the translation pipeline is not ready',
    named: true,
    retryAfter: 5,
  },
  store_unavailable: {
    status: 503,
    cause: 41,
    text: 'the store of this gateway cannot be reached',
    named: true,
    retryAfter: 5,
  },
  interval_too_brief: {
    status: 423,
    cause: 95,
    text: 'registrations of less than 60 s are not taken',
    named: true,
  },
  session_interval_too_small: {
    status: 422,
    cause: 95,
    text: 'the session interval is too short',
    named: true,
  },
  declined: { status: 603, cause: 21, text: 'the call was hung up through the API', named: true },
  no_dialog: { status: 481, cause: 101, text: 'no such call', named: false },
  dtmf_invalid: { status: 400, cause: 95, text: 'the key press cannot be understood', named: true },
  internal_error: { status: 500, cause: 41, text: 'internal error', named: true },
} as const satisfies Record<string, RefusalRow>;

export type RefusalCode = keyof typeof refusalTable;
export const refusals: Readonly<Record<RefusalCode, RefusalRow>> = refusalTable;

interface EndRow {
  /** Q.850 cause for the `Reason` header of the BYE. */
  readonly cause: number;
  readonly text: string;
  /** Of the WebSocket where the leg is a stream; 1011 where there is none. */
  readonly closeCode?: number;
}

/** Every way a leg can end, a closed set (decisions §4). */
const endTable = {
  hangup: { cause: 16, text: 'the call was hung up', closeCode: 1000 },
  canceled: { cause: 16, text: 'the caller gave up before the answer', closeCode: 1000 },
  ack_timeout: { cause: 102, text: 'the answer was never acknowledged' },
  session_ended: { cause: 16, text: 'the session has ended', closeCode: 1000 },
  media_timeout: { cause: 102, text: 'no audio was received', closeCode: 4408 },
  session_timer: { cause: 102, text: 'the session timer ran out' },
  pipeline_failed: { cause: 41, text: 'the translation pipeline was lost', closeCode: 4503 },
  replaced: { cause: 16, text: 'a newer call of the same caller took over', closeCode: 4409 },
  drained: { cause: 41, text: 'this gateway is shutting down', closeCode: 1001 },
  engine_lost: { cause: 38, text: 'the SIP engine was lost' },
  stream_lost: { cause: 27, text: 'the connection of the stream was lost' },
  dial_failed: { cause: 31, text: 'the called party did not take the call' },
  error: { cause: 41, text: 'internal error' },
} as const satisfies Record<string, EndRow>;

export type EndReason = keyof typeof endTable;
export const ends: Readonly<Record<EndReason, EndRow>> = endTable;

/** The `Reason` header (RFC 3326) of a refused request: `Q.850;cause=17;text="role_taken: …"`. */
export const reasonOfRefusal = (code: RefusalCode): string => reason(code, refusalTable[code]);

/** The `Reason` header of a BYE, which begins with why the leg ended. */
export const reasonOfEnd = (code: EndReason): string => reason(code, endTable[code]);

const reason = (code: string, { cause, text }: EndRow): string =>
  `Q.850;cause=${cause};text="${code}: ${text}"`;

/** A SIP request is refused: thrown by the rooms that take part in a set-up, turned into an answer by `sip/`. */
export class Refusal extends Error {
  readonly code: RefusalCode;
  /** What was wrong in this case, for the log and the `Warning` header; never shown before row 4. */
  readonly detail: string | undefined;

  constructor(code: RefusalCode, detail?: string) {
    super(detail === undefined ? refusals[code].text : `${refusals[code].text}: ${detail}`);
    this.name = 'Refusal';
    this.code = code;
    this.detail = detail;
  }
}

/** What a refusal is called in the REST API and towards streams, where they meet it. */
const refusedAs: Partial<Record<RefusalCode, ApiErrorCode>> = {
  draining: 'draining',
  overloaded: 'overloaded',
  role_taken: 'role_taken',
  concurrency_limit: 'concurrency_limit',
  session_ended: 'session_ended',
  no_media_ports: 'overloaded',
  pipeline_unavailable: 'pipeline_unavailable',
  store_unavailable: 'store_unavailable',
};

/**
 * The store cannot be asked or written to now: its connection is lost, none is free in time, it is locked for too long, its
 * disk is full. The same may succeed later. Thrown by `store/`; a SIP request is refused, a REST request answered 503.
 */
export class StoreUnavailable extends Error {
  /** @param cause what the database or its driver said */
  constructor(cause: unknown) {
    const { message, code } = cause as { message?: string; code?: string };
    super(`the store is not available: ${message || code || 'no reason given'}`, { cause });
    this.name = 'StoreUnavailable';
  }
}

/** Whatever is thrown, as a call is refused for it. @returns undefined for an error that is ours */
export function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof StoreUnavailable) return new Refusal('store_unavailable', error.message);
  return error instanceof Refusal ? error : undefined;
}

/** Whatever is thrown, as the REST API and streams tell it. @returns undefined for an error that is ours, or known to SIP only */
export function apiErrorOf(error: unknown): ApiError | undefined {
  if (error instanceof ApiError) return error;
  const code = refusalOf(error)?.code;
  const known = code && refusedAs[code];
  const param = code === 'role_taken' ? 'role' : undefined;
  return known && new ApiError(known, { param, retryAfter: refusals[code].retryAfter });
}
