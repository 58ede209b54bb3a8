import type { Carrier } from '../providers.ts';
import type { Role } from '../roles.ts';

/** What a carrier is told to do with a call: TwiML, and TeXML, which differs in little. */

/** Where a call's audio is to be streamed to. */
export interface CallStream {
  url: string;
  token: string;
  sessionId: string;
  role: Role;
  /** Who talks with whom, as the carrier tells: its stream may not. */
  from: string;
  to: string;
}

/**
 * Streams a call both ways over a WebSocket. The token is a parameter, for Twilio takes no query in the address.
 * Telnyx would play files only unless told to take RTP's payloads.
 * Sources: www.twilio.com/docs/voice/twiml/stream, developers.telnyx.com/docs/voice/programmable-voice/texml-verbs/stream.
 */
export function streamInstructions(carrier: Carrier, stream: CallStream): string {
  const { url, token, sessionId, role, from, to } = stream;
  const both = carrier === 'telnyx' ? ' codec="PCMU" bidirectionalMode="rtp" bidirectionalCodec="PCMU"' : '';
  const parameters = Object.entries({ token, session_id: sessionId, role, from, to }).map(
    ([name, value]) => `<Parameter name="${name}" value="${escaped(value)}"/>`,
  );
  return document(`<Connect><Stream url="${escaped(url)}"${both}>${parameters.join('')}</Stream></Connect>`);
}

/**
 * Refuses a call before it is answered, so that it costs nothing.
 * Sources: www.twilio.com/docs/voice/twiml/reject, developers.telnyx.com/docs/voice/programmable-voice/texml-verbs/reject.
 */
export const rejectInstructions = (reason: 'rejected' | 'busy'): string =>
  document(`<Reject reason="${reason}"/>`);

const document = (inside: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<Response>${inside}</Response>\n`;

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** XML has no control characters; with one in a caller's name the carrier would refuse the whole. */
const escaped = (text: string): string =>
  text
    .toWellFormed()
    .replace(/[^\t\n\r\x20-\ufffd\u{10000}-\u{10ffff}]/gu, '')
    .replace(/[&<>"']/g, (character) => entities[character] as string);
