import { Ended } from '../bridge/ended.ts';
import { ApiError, apiErrorOf, apiErrors, type EndReason, ends } from '../errors.ts';

/** Why a stream is refused, or ends: its code, words for people, and the close code of its WebSocket. */
export interface StreamClose {
  code: string;
  message: string;
  closeCode: number;
}

/** A refusal closes with 4000 and the HTTP status that the same has in the REST API. */
export function closeOfError(error: unknown): StreamClose {
  if (error instanceof Ended) return closeOfEnd(error.reason);
  const { code, message } = asApiError(error);
  return { code, message, closeCode: 4000 + apiErrors[code].status };
}

export const closeOfEnd = (reason: EndReason): StreamClose => ({
  code: reason,
  message: ends[reason].text,
  closeCode: ends[reason].closeCode ?? 1011,
});

/** Of whatever is thrown while a stream is taken in. */
export const asApiError = (error: unknown): ApiError => apiErrorOf(error) ?? new ApiError('internal_error');
