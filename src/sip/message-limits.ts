/**
 * Caps on what a drachtio-server passes on, which has none of its own; the embedded engine has the same. drachtio-srf
 * reads headers with regular expressions whose time grows with the square of the length (4 ms at 2 kB, seconds at 50 kB),
 * and repeats some of them in its answers, which must not be longer than a drachtio-server can read.
 */
const MESSAGE_MOST = 16_384;
const LINE_MOST = 4_096;
const STRUCTURED_MOST = 2_048;
const BODY_MOST = 12_288;
const MULTIPART_MOST = 4_096;

const structured =
  /^(via|v|from|f|to|t|contact|m|call-id|i|cseq|route|record-route|p-asserted-identity|authorization)[ \t]*:/i;

/** Whether a SIP message is longer than anything that a call needs. Pure, in linear time. */
export function isTooLong(message: string): boolean {
  if (message.length > MESSAGE_MOST) return true;
  const blank = message.indexOf('\r\n\r\n');
  const head = blank === -1 ? message : message.slice(0, blank);
  const body = blank === -1 ? 0 : message.length - blank - 4;
  const lines = unfolded(head);
  if (lines.some((line) => line.length > (structured.test(line) ? STRUCTURED_MOST : LINE_MOST))) return true;
  const multipart = lines.some((line) => /^(content-type|c)[ \t]*:[ \t]*multipart\//i.test(line));
  return body > (multipart ? MULTIPART_MOST : BODY_MOST);
}

/** Header lines, each with the lines that continue it. */
function unfolded(head: string): string[] {
  const lines: string[] = [];
  for (const line of head.split('\r\n')) {
    if (/^[ \t]/.test(line) && lines.length > 0) lines[lines.length - 1] += line;
    else lines.push(line);
  }
  return lines;
}
