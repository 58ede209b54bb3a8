import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { ApiError, apiErrorOf, apiErrors, envelopeOf } from '../errors.ts';
import '../schema-words.ts';
import type { Log } from '../telemetry/log.ts';

/** Fastify's own refusals of a request, as codes of ours. */
const fastifyCodes: Readonly<Record<string, ConstructorParameters<typeof ApiError>[0]>> = {
  FST_ERR_CTP_INVALID_JSON_BODY: 'malformed_body',
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'malformed_body',
};

/** Answers every error in the contract's envelope (contract §9); what is not ours is logged and told as a 500. */
export function errorHandler(log: Log) {
  return (error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const known = asApiError(error);
    if (known.code === 'internal_error')
      log.error({ request_id: request.id, err: error }, 'REST request failed');
    return sendError(request, reply, known);
  };
}

/** More than so many faults of one request are not listed. */
const ISSUES_MOST = 10;

export function sendError(request: FastifyRequest, reply: FastifyReply, error: ApiError): FastifyReply {
  if (error.retryAfter !== undefined) reply.header('Retry-After', error.retryAfter);
  return reply.status(apiErrors[error.code].status).send(envelopeOf(error, request.id));
}

function asApiError(error: FastifyError): ApiError {
  const known = apiErrorOf(error);
  if (known !== undefined) return known;
  if (hasZodFastifySchemaValidationErrors(error)) return validationError(error.validation);
  const code = fastifyCodes[error.code];
  if (code) return new ApiError(code);
  if (error.statusCode === 400) return new ApiError('malformed_body', { message: error.message });
  return new ApiError('internal_error');
}

/** Everything that is wrong, by its path; `param` names the first: `routing.phone_number`. */
function validationError(
  issues: readonly { instancePath: string; keyword?: string; message?: string }[],
): ApiError {
  const pathOf = (issue: { instancePath: string }) => issue.instancePath.split('/').filter(Boolean).join('.');
  const words = issues.slice(0, ISSUES_MOST).map((issue) => {
    const path = pathOf(issue);
    if (path === '' && issue.keyword === 'invalid_type') return 'The body must be a JSON object.';
    return path === '' ? (issue.message ?? 'not valid') : `${path}: ${issue.message ?? 'not valid'}`;
  });
  const [first] = issues;
  const param = first === undefined ? '' : pathOf(first);
  return new ApiError('invalid_request', { param: param || undefined, message: words.join('; ') });
}
