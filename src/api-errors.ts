/**
 * Errors of the REST API: a code stands here once, with its HTTP status, its type and its words; everybody else names the code.
 * Source: contract §9.
 */

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
    message:
      'The phone number is not one of the organization, or it is not active. Buy or activate it under /v1/telephony/numbers, or use another.',
  },
  connection_not_found: {
    status: 404,
    type: 'invalid_request_error',
    message:
      'The provider connection does not exist, or it is not active. Add one under /v1/telephony/connections, or use another.',
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
    message:
      'Only into a session that was routed to SIP can somebody be called. Into others the carrier calls, and streams the call to stream.url.',
  },
  role_taken: {
    status: 409,
    type: 'invalid_request_error',
    message: 'The role is taken by another call, or the session’s mode has no such role.',
  },
  concurrency_limit: {
    status: 409,
    type: 'invalid_request_error',
    message: 'The limit of concurrent calls of the organization is reached.',
  },
  role_invalid: {
    status: 422,
    type: 'invalid_request_error',
    message: 'The role must be customer or agent.',
  },
  invalid_token: {
    status: 401,
    type: 'authentication_error',
    message:
      'The stream token is missing or wrong, older than 5 minutes, or of another session. Get the session for a fresh one.',
  },
  too_many_clients: {
    status: 409,
    type: 'invalid_request_error',
    message: 'The session has as many streaming clients as it can have.',
  },
  start_missing: {
    status: 408,
    type: 'invalid_request_error',
    message: 'The stream showed no token: none in its URL, and none in a start message within 10 seconds.',
  },
  invalid_audio_format: {
    status: 422,
    type: 'invalid_request_error',
    message: 'Audio must be mu-law, 8000 Hz, mono, as base64.',
  },
  invalid_message: { status: 422, type: 'invalid_request_error', message: 'The message is not valid.' },
  pipeline_unavailable: {
    status: 503,
    type: 'api_error',
    message: 'The translation pipeline is not ready. Try again in a moment.',
  },
  dial_failed: { status: 502, type: 'api_error', message: 'The call was not answered.' },
  leg_not_found: { status: 404, type: 'invalid_request_error', message: 'The session has no such leg up.' },
  dtmf_not_possible: {
    status: 409,
    type: 'invalid_request_error',
    message: 'A stream takes no key presses.',
  },
  dtmf_queue_full: { status: 409, type: 'invalid_request_error', message: 'Too many digits wait already.' },
  test_not_found: { status: 404, type: 'invalid_request_error', message: 'No such self-test.' },
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
  not_found: {
    status: 404,
    type: 'invalid_request_error',
    message: 'There is nothing at this address for this method.',
  },
  draining: {
    status: 503,
    type: 'api_error',
    message: 'This gateway is shutting down. Try again in a moment.',
  },
  overloaded: {
    status: 503,
    type: 'api_error',
    message: 'This gateway is at its limit. Try again in a moment.',
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
  message?: string | undefined;
  param?: string | undefined;
  retryAfter?: number | undefined;
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

/** What is answered to a request that meets an error (contract §9). */
export const envelopeOf = ({ code, message, param, retryAfter, facts }: ApiError, requestId: string) => ({
  error: {
    ...{ type: apiErrors[code].type, code, message, param },
    ...{ request_id: requestId, retry_after: retryAfter, ...facts },
  },
});
