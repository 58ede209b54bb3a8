import { Refusal } from '../errors.ts';

/** Finds the SDP in the body of a request. Source: RFC 2046 §5.1, RFC 5621; decisions §5. */

const MAX_BODY_CHARACTERS = 65_536;
const MAX_PARTS = 8;

/**
 * The SDP of a body: the body itself, or the one `application/sdp` part of a `multipart/*` (nested ones are not searched).
 * A request without a body has none; do not ask for it.
 * @throws Refusal `content_type_unsupported` that says what was found instead
 */
export function extractSdp(contentType: string | undefined, body: string): string {
  const type = mediaType(contentType ?? '');
  if (type === 'application/sdp') return body;
  if (!type.startsWith('multipart/'))
    throw unsupported(`${type || 'no Content-Type'}; application/sdp is taken`);
  if (body.length > MAX_BODY_CHARACTERS) {
    throw unsupported(`a multipart body of more than ${MAX_BODY_CHARACTERS} characters`);
  }
  const parts = splitParts(body, boundaryOf(contentType ?? ''));
  const found = parts.filter(
    (part) => mediaType(part.headers.get('content-type') ?? '') === 'application/sdp',
  );
  const [part] = found;
  if (part === undefined || found.length > 1) {
    throw unsupported(`${found.length} application/sdp parts in the multipart body; exactly one is taken`);
  }
  const encoding = part.headers.get('content-transfer-encoding') ?? 'binary';
  if (!/^(7bit|8bit|binary)$/i.test(encoding)) {
    throw unsupported('an encoded application/sdp part; 7bit, 8bit and binary are taken');
  }
  return part.body;
}

interface Part {
  headers: ReadonlyMap<string, string>;
  body: string;
}

function unsupported(detail: string): Refusal {
  return new Refusal('content_type_unsupported', detail);
}

/** `type/subtype` in lower case, without parameters. */
function mediaType(value: string): string {
  return value.split(';', 1)[0]!.trim().toLowerCase().slice(0, 100);
}

function boundaryOf(contentType: string): string {
  const match = /;[ \t]*boundary[ \t]*=[ \t]*(?:"([^"]{1,70})"|([^\s;"]{1,70})(?=[\s;]|$))/i.exec(
    contentType,
  );
  const boundary = match?.[1] ?? match?.[2];
  if (boundary === undefined) throw unsupported('a multipart body without a boundary of 1 to 70 characters');
  return boundary;
}

/** The parts between the delimiter lines; what stands before the first and after the closing one is no part. */
function splitParts(body: string, boundary: string): Part[] {
  const [, ...pieces] = `\r\n${body}`.split(
    new RegExp(`\\r?\\n--${escapeRegExp(boundary)}(?=--|[ \\t]*\\r?\\n)`),
  );
  const end = pieces.findIndex((piece) => piece.startsWith('--'));
  if (end === -1) throw unsupported('a multipart body without its closing delimiter');
  if (end > MAX_PARTS) throw unsupported(`a multipart body of ${end} parts; at most ${MAX_PARTS} are taken`);
  return pieces.slice(0, end).map(readPart);
}

/** A piece begins with the rest of its delimiter line. */
function readPart(piece: string): Part {
  const text = piece.replace(/^[ \t]*\r?\n/, '\n');
  const gap = /\n\r?\n/.exec(text);
  const head = gap === null ? text : text.slice(0, gap.index);
  const headers = new Map<string, string>();
  for (const line of head.replace(/\r?\n[ \t]+/g, ' ').split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  return { headers, body: gap === null ? '' : `${text.slice(gap.index + gap[0].length)}\r\n` };
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
