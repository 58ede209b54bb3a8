/**
 * What no line of the log shows, whatever wrote it: secrets, and the phone numbers of callers unless they are wanted. Applied to
 * the finished line, so that nothing gets past it in an error's text or a URL. A pure function.
 */
const HIDDEN = '[hidden]';

/** Most lines have nothing of these. */
const mayHoldSecret =
  /inline:|authorization|bearer|digest|response=|sk_(?:live|test)_|kst_|token|:\/\/[^/\s"]*@/i;
const secrets: readonly (readonly [RegExp, string])[] = [
  // RFC 4568, RFC 7616, RFC 6750; our API keys and stream tokens; URLs with a token or a password.
  [/\binline:[^\s|;"\\]+/gi, `inline:${HIDDEN}`],
  [/\b(response|cnonce)=\\?"[^"\\]*\\?"/gi, `$1=${HIDDEN}`],
  [/\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi, `$1 ${HIDDEN}`],
  [/\bsk_(live|test)_[A-Za-z0-9_-]+/g, `sk_$1_${HIDDEN}`],
  [/\bkst_[A-Za-z0-9._-]+/g, `kst_${HIDDEN}`],
  [/([?&][a-z_]*token=)[^&\s"\\]+/gi, `$1${HIDDEN}`],
  [/(:\/\/[^:/\s"@]*:)[^@/\s"]+@/g, `$1${HIDDEN}@`],
];

const mayHoldNumber =
  /(?:sips?|tel):\+?\d|%2b\d|\+\d|"(?:from|to|from_uri|to_uri|called|number|phone_number)":"\d/i;
/** The user part of a URI that is a number: not one of a few digits, which is an extension. */
const inUri = /\b(sips?:|tel:)((?:\+|%2b)?[\d().-]{5,32})(?=[@;"\\>\s]|$)/gi;
const international = /(?:\+|%2b)[1-9]\d{6,14}\b/gi;
const bare = /"(from|to|from_uri|to_uri|called|number|phone_number)":"([\d ()./-]{5,32})"/g;

/** @param showNumbers phone numbers stay as they are */
export function maskLine(line: string, showNumbers: boolean): string {
  let shown = line;
  if (mayHoldSecret.test(line))
    for (const [secret, instead] of secrets) shown = shown.replace(secret, instead);
  if (showNumbers || !mayHoldNumber.test(line)) return shown;
  return shown
    .replace(inUri, (_, scheme: string, number: string) => scheme + maskNumber(number))
    .replace(international, maskNumber)
    .replace(bare, (_, key: string, number: string) => `"${key}":"${maskNumber(number)}"`);
}

/** The last two digits are left, by which somebody who knows the number knows it again. */
function maskNumber(number: string): string {
  return number.slice(0, -2).replace(/(?<!%)\d/g, '*') + number.slice(-2);
}
