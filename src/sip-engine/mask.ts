/**
 * Secrets of a SIP message: what answers a digest challenge, and keys of SRTP. They leave the engine in no trace.
 */
const MASK = '***';

/** Whether a message can hold any; most do not. */
const mayHoldSecret = /authorization|authentication-info|inline:|a=crypto|a=key-mgmt|\nk=/i;

/** A header with its folded lines; bare line ends occur in messages that the parser refuses. */
const credentialHeader =
  /^((?:proxy-)?(?:authorization|authentication-info)[ \t]*:)((?:[^\r\n]*(?:\r\n|\r|\n)[ \t])*[^\r\n]*)/gim;
const digestAnswer = /\b(response|rspauth)([ \t\r\n]*=[ \t\r\n]*)(?:"[^"]*"?|[^,\s]*)/gi;
/** RFC 4568 `a=crypto:1 SUITE inline:KEY|…`, RFC 4567 `a=key-mgmt:mikey …`, RFC 4566 `k=…`. */
const keyLine = /^(a=crypto:\S*[ \t]+\S+[ \t]+|a=key-mgmt:\S*[ \t]+|k=)[^\r\n]*/gim;
const inlineKey = /\binline:[^\s|;]*/gi;

/** The text of a message with `***` where its secrets stood. */
export function masked(text: string): string {
  if (!mayHoldSecret.test(text)) return text;
  return text
    .replace(credentialHeader, (_, name: string, value: string) => name + maskedCredentials(name, value))
    .replace(keyLine, `$1${MASK}`)
    .replace(inlineKey, `inline:${MASK}`);
}

/** Of a digest everything but the answer is worth reading; of other schemes nothing is known. */
function maskedCredentials(name: string, value: string): string {
  const readable = /info/i.test(name) || /^\s*digest\s/i.test(value);
  return readable ? value.replace(digestAnswer, `$1$2"${MASK}"`) : ` ${MASK}`;
}
