/**
 * Secrets of a SIP message: what answers a digest challenge, keys of SRTP, and the keys that a caller presses, which may
 * be a card's number. They leave the engine in no trace.
 */
const MASK = '***';

/** Whether a message can hold any; most do not. */
const mayHoldSecret = /authorization|authentication-info|inline:|a=crypto|a=key-mgmt|\nk=|application\/dtmf/i;

/** A header with its folded lines; bare line ends occur in messages that the parser refuses. */
const credentialHeader =
  /^((?:proxy-)?(?:authorization|authentication-info)[ \t]*:)((?:[^\r\n]*(?:\r\n|\r|\n)[ \t])*[^\r\n]*)/gim;
const digestAnswer = /\b(response|rspauth)([ \t\r\n]*=[ \t\r\n]*)(?:"[^"]*"?|[^,\s]*)/gi;
/** RFC 4568 `a=crypto:1 SUITE inline:KEY|…`, RFC 4567 `a=key-mgmt:mikey …`, RFC 4566 `k=…`. */
const keyLine = /^(a=crypto:\S*[ \t]+\S+[ \t]+|a=key-mgmt:\S*[ \t]+|k=)[^\r\n]*/gim;
const inlineKey = /\binline:[^\s|;]*/gi;

/** Of an INFO with key presses, the lines of its body but for their duration. */
const keyPressType = /^(?:content-type|c)[ \t]*:[ \t]*application\/dtmf/im;
const keyPressLine = /^(?![ \t]*duration)([^\r\n=]*=)?[^\r\n]+/gim;

/** The text of a message with `***` where its secrets stood. */
export function masked(text: string): string {
  if (!mayHoldSecret.test(text)) return text;
  return withoutKeyPresses(text)
    .replace(credentialHeader, (_, name: string, value: string) => name + maskedCredentials(name, value))
    .replace(keyLine, `$1${MASK}`)
    .replace(inlineKey, `inline:${MASK}`);
}

/** Of a digest everything but the answer is worth reading; of other schemes nothing is known. */
function maskedCredentials(name: string, value: string): string {
  const readable = /info/i.test(name) || /^\s*digest\s/i.test(value);
  return readable ? value.replace(digestAnswer, `$1$2"${MASK}"`) : ` ${MASK}`;
}

function withoutKeyPresses(text: string): string {
  const end = text.search(/\r?\n\r?\n/);
  if (end < 0 || !keyPressType.test(text.slice(0, end))) return text;
  const body = text.slice(end).replace(keyPressLine, (_, name: string | undefined) => (name ?? '') + MASK);
  return text.slice(0, end) + body;
}
