import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { ApiError, apiErrors } from '../errors.ts';
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

export function sendError(request: FastifyRequest, reply: FastifyReply, error: ApiError): FastifyReply {
  const { status, type } = apiErrors[error.code];
  if (error.retryAfter !== undefined) reply.header('Retry-After', error.retryAfter);
  const { code, message, param, retryAfter } = error;
  return reply
    .status(status)
    .send({ error: { type, code, message, param, request_id: request.id, retry_after: retryAfter } });
}

function asApiError(error: FastifyError): ApiError {
  if (error instanceof ApiError) return error;
  if (hasZodFastifySchemaValidationErrors(error)) return validationError(error.validation[0]);
  const code = fastifyCodes[error.code];
  if (code) return new ApiError(code);
  if (error.statusCode === 400) return new ApiError('malformed_body', { message: error.message });
  return new ApiError('internal_error');
}

/** The first thing that is wrong, by its path: `routing.phone_number`. */
function validationError(first: { instancePath: string; message?: string } | undefined): ApiError {
  const param = first?.instancePath.split('/').filter(Boolean).join('.');
  if (!param)
    return new ApiError('invalid_request', { message: first?.message ?? 'The body must be a JSON object.' });
  return new ApiError('invalid_request', { param, message: `${param}: ${first?.message ?? 'not valid'}` });
}
