/**
 * The tables of everything that can go wrong or come to an end: refusals of SIP requests, the ends of a leg,
 * and errors of the REST API. A code stands here once, with its SIP status, its Q.850 cause, its HTTP status
 * and its words; everybody else names the code. Sources: decisions §3, §4, §7; contract §9; ITU-T Q.850.
 */

import { codecNames } from './config/codecs.ts';

interface RefusalRow {
  /** SIP status of the final response. */
  readonly status: number;
  /** Q.850 cause for the `Reason` header. */
  readonly cause: number;
  /** Plain words for the PBX's administrator. */
  readonly text: string;
  /** Whether the response names the code in `X-Kallglot-Error` and `Reason` (rows 1 to 3 tell a stranger nothing). */
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
  banned: { status: 403, cause: 21, text: 'source is banned', named: false },
  not_a_session: {
    status: 404,
    cause: 1,
    text: 'the called address is not a session of this gateway',
    named: true,
  },
  role_invalid: { status: 400, cause: 95, text: 'the role must be customer or agent', named: true },
  session_not_found: { status: 404, cause: 1, text: 'no such session', named: true },
  organization_inactive: { status: 403, cause: 21, text: 'the organization is not active', named: true },
  sip_not_enabled: { status: 403, cause: 29, text: 'SIP is not enabled for this organization', named: true },
  ip_not_allowed: { status: 403, cause: 21, text: 'the source address is not on the allowlist', named: true },
  tls_required: { status: 403, cause: 21, text: 'this trunk must use TLS', named: true },
  session_not_sip: { status: 403, cause: 21, text: 'the session was not routed to SIP', named: true },
  session_ended: { status: 410, cause: 31, text: 'the session has ended', named: true },
  role_taken: { status: 486, cause: 17, text: 'the role is taken by another call', named: true },
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
}

/** Every way a leg can end, a closed set (decisions §4). */
const endTable = {
  hangup: { cause: 16, text: 'the call was hung up' },
  canceled: { cause: 16, text: 'the caller gave up before the answer' },
  ack_timeout: { cause: 102, text: 'the answer was never acknowledged' },
  session_ended: { cause: 16, text: 'the session has ended' },
  media_timeout: { cause: 102, text: 'no audio was received' },
  session_timer: { cause: 102, text: 'the session timer ran out' },
  pipeline_failed: { cause: 41, text: 'the translation pipeline was lost' },
  replaced: { cause: 16, text: 'a newer call of the same caller took over' },
  drained: { cause: 41, text: 'this gateway is shutting down' },
  engine_lost: { cause: 38, text: 'the SIP engine was lost' },
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

interface ApiErrorRow {
  readonly status: number;
  readonly type:
    | 'invalid_request_error'
    | 'authentication_error'
    | 'permission_error'
    | 'rate_limit_error'
    | 'validation_error'
    | 'api_error';
  readonly message: string;
}

const apiErrorTable = {
  invalid_request: { status: 422, type: 'validation_error', message: 'The request is not valid.' },
  malformed_body: { status: 400, type: 'invalid_request_error', message: 'The body is not valid JSON.' },
  body_too_large: { status: 413, type: 'invalid_request_error', message: 'The body is larger than allowed.' },
  unsupported_media_type: {
    status: 415,
    type: 'invalid_request_error',
    message: 'The body must be sent as application/json.',
  },
  invalid_api_key: {
    status: 401,
    type: 'authentication_error',
    message: 'The API key is missing or not known.',
  },
  organization_inactive: {
    status: 403,
    type: 'permission_error',
    message: 'The organization is not active.',
  },
  rate_limit_exceeded: {
    status: 429,
    type: 'rate_limit_error',
    message: 'Too many requests. Wait for Retry-After seconds.',
  },
  idempotency_mismatch: {
    status: 400,
    type: 'invalid_request_error',
    message: 'This Idempotency-Key was used for another request. Use a new key for a new request.',
  },
  idempotency_conflict: {
    status: 409,
    type: 'invalid_request_error',
    message: 'The first request with this Idempotency-Key is still being worked on.',
  },
  insufficient_permissions: {
    status: 403,
    type: 'permission_error',
    message: 'The API key does not have the scope that this needs.',
  },
  sip_not_enabled: {
    status: 403,
    type: 'invalid_request_error',
    message:
      'SIP is not enabled for this organization. Enable it in the telephony settings, or use another route.',
  },
  no_default_provider: {
    status: 422,
    type: 'invalid_request_error',
    message: 'No route could be resolved. Add a provider connection, buy a managed number, or use SIP.',
  },
  phone_number_not_found: {
    status: 404,
    type: 'invalid_request_error',
    message: 'The phone number is not one of the organization, or it is not active.',
  },
  connection_not_found: {
    status: 404,
    type: 'invalid_request_error',
    message: 'The provider connection does not exist, or it is not active.',
  },
  phone_number_not_available: {
    status: 409,
    type: 'invalid_request_error',
    message: 'The phone number is not for sale: it is not in the inventory, or it was sold already.',
  },
  number_not_found: { status: 404, type: 'invalid_request_error', message: 'No such number.' },
  connection_rejected: {
    status: 422,
    type: 'invalid_request_error',
    message: 'The carrier does not accept these credentials.',
  },
  connection_inactive: {
    status: 409,
    type: 'invalid_request_error',
    message: 'The connection is not active. Activate it first.',
  },
  encryption_key_missing: {
    status: 422,
    type: 'invalid_request_error',
    message:
      'This gateway has no key to keep credentials with. Its operator has to set KALLGLOT_STORE__ENCRYPTION_KEY.',
  },
  managed_by_config: {
    status: 409,
    type: 'invalid_request_error',
    message: "The configuration file owns this organization's SIP settings; they are changed there.",
  },
  confirmation_required: {
    status: 422,
    type: 'invalid_request_error',
    message: 'This network is very wide. If that is meant, send "confirm": "allow_everyone" with it.',
  },
  allowed_ip_not_found: {
    status: 404,
    type: 'invalid_request_error',
    message: 'No such entry on the allowlist.',
  },
  outbound_trunk_missing: {
    status: 422,
    type: 'invalid_request_error',
    message:
      'The organization has no outbound trunk that numbers could be called through. Set one up at /v1/telephony/sip/outbound.',
  },
  srtp_needs_tls: {
    status: 422,
    type: 'invalid_request_error',
    message:
      'The organization requires SRTP, whose keys are sent over TLS only. Call a sips: URI or one with ;transport=tls, or use an outbound trunk over TLS.',
  },
  destination_not_allowed: {
    status: 403,
    type: 'permission_error',
    message: 'The organization may not call this destination.',
  },
  recording_not_available: {
    status: 422,
    type: 'invalid_request_error',
    message: 'Recordings are not available on this gateway. Leave recording.enabled out, or set it to false.',
  },
  organization_exists: {
    status: 409,
    type: 'invalid_request_error',
    message: 'There is an organization with this id already.',
  },
  organization_not_found: { status: 404, type: 'invalid_request_error', message: 'No such organization.' },
  session_not_found: { status: 404, type: 'invalid_request_error', message: 'No such session.' },
  session_ended: { status: 409, type: 'invalid_request_error', message: 'The session has ended.' },
  session_not_sip: {
    status: 409,
    type: 'invalid_request_error',
    message: 'The session was not routed to SIP, so that it has no calls.',
  },
  role_taken: { status: 409, type: 'invalid_request_error', message: 'The role is taken by another call.' },
  concurrency_limit: {
    status: 409,
    type: 'invalid_request_error',
    message: 'The limit of concurrent calls of the organization is reached.',
  },
  dial_failed: { status: 502, type: 'api_error', message: 'The call was not answered.' },
  leg_not_found: { status: 404, type: 'invalid_request_error', message: 'The session has no such leg up.' },
  dtmf_queue_full: { status: 409, type: 'invalid_request_error', message: 'Too many digits wait already.' },
  ban_not_found: { status: 404, type: 'invalid_request_error', message: 'This address is not banned.' },
  call_not_found: {
    status: 404,
    type: 'invalid_request_error',
    message: 'This gateway knows no such call, or keeps its messages no longer.',
  },
  trace_not_available: {
    status: 501,
    type: 'api_error',
    message:
      'Only the embedded SIP engine (sip.engine: embedded) keeps the messages of calls. A drachtio-server sends them to a Homer server: start it with --homer.',
  },
  webhook_not_found: { status: 404, type: 'invalid_request_error', message: 'No such webhook endpoint.' },
  webhook_url_not_allowed: {
    status: 422,
    type: 'validation_error',
    message: 'Events cannot be sent to this address.',
  },
  webhook_limit_reached: {
    status: 409,
    type: 'invalid_request_error',
    message: 'There are 20 webhook endpoints already, the most there can be. Delete one first.',
  },
  webhook_inactive: {
    status: 409,
    type: 'invalid_request_error',
    message: 'The webhook endpoint is not active. Set active to true first.',
  },
  delivery_not_found: { status: 404, type: 'invalid_request_error', message: 'No such webhook delivery.' },
  delivery_not_failed: {
    status: 409,
    type: 'invalid_request_error',
    message: 'Only a delivery that has failed can be sent again.',
  },
  not_found: { status: 404, type: 'invalid_request_error', message: 'There is nothing at this address.' },
  draining: {
    status: 503,
    type: 'api_error',
    message: 'This gateway is shutting down. Try again in a moment.',
  },
  overloaded: {
    status: 503,
    type: 'api_error',
    message: 'This gateway is at its limit of calls. Try again in a moment.',
  },
  engine_unavailable: {
    status: 503,
    type: 'api_error',
    message: 'The SIP engine of this gateway cannot be reached now. Try again in a moment.',
  },
  store_unavailable: {
    status: 503,
    type: 'api_error',
    message: 'The store of this gateway cannot be reached now. Try again in a moment.',
  },
  internal_error: { status: 500, type: 'api_error', message: 'Something went wrong on our side.' },
} as const satisfies Record<string, ApiErrorRow>;

export type ApiErrorCode = keyof typeof apiErrorTable;
export const apiErrors: Readonly<Record<ApiErrorCode, ApiErrorRow>> = apiErrorTable;

interface ApiErrorDetails {
  message?: string;
  param?: string;
  retryAfter?: number;
  facts?: Readonly<Record<string, string | number | null>>;
}

/** An error that the REST API answers in its envelope (contract §9); the table gives status, type and default words. */
export class ApiError extends Error {
  readonly code: ApiErrorCode;
  readonly param: string | undefined;
  readonly retryAfter: number | undefined;
  /** Further members of `error`, for what this case has to tell: the SIP status of a failed dial. */
  readonly facts: Readonly<Record<string, string | number | null>>;

  constructor(code: ApiErrorCode, details: ApiErrorDetails = {}) {
    super(details.message ?? apiErrors[code].message);
    this.name = 'ApiError';
    this.code = code;
    this.param = details.param;
    this.retryAfter = details.retryAfter;
    this.facts = details.facts ?? {};
  }
}

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
