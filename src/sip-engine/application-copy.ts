import { type HeaderField, type SipMessage, splitList } from './message.ts';
import { parseNameAddr } from './name-addr.ts';
import { alphanumeric, byteSet, consistsOf, hexDigits, Scanner, tokenBytes } from './scanner.ts';
import { formatVia, parseVia } from './via.ts';

/**
 * What the application gets of a message that was validated. drachtio-srf reads it with regular expressions, which throw
 * at some legal messages and take quadratic time for others; the copy means the same and is safe for them:
 * - headers whose name holds an escape are left out (it would read `C%6Fntact` as Contact);
 * - optional headers that do not parse are left out, as RFC 3261 §8.2 asks (From, To and the like never get here);
 * - runs of white space outside of quotes become one space;
 * - a Via that spells the protocol `sip` gets `SIP`.
 *
 * What the engine itself needs (Via, Record-Route) it takes from the message as it came.
 */
export function forApplication<Message extends SipMessage>(message: Message): Message {
  const headers: HeaderField[] = [];
  for (const field of message.headers) {
    const parses = optionalHeaders.get(field.name);
    if (decodesInApplication(field.name) || (parses && !parses(field.value))) continue;
    const value = collapseSpace(field.value);
    headers.push({ name: field.name, value: field.name === 'Via' ? upperVia(value) : value });
  }
  return { ...message, headers };
}

/** Whether `unescape`, which drachtio-srf applies to methods and header names, would make another text of this one. */
export function decodesInApplication(text: string): boolean {
  for (let at = text.indexOf('%'); at >= 0; at = text.indexOf('%', at + 1)) {
    const byte = text.slice(at + 1, at + 3);
    const character = text.slice(at + 2, at + 6);
    if (byte.length === 2 && consistsOf(byte, hexDigits)) return true;
    if (text[at + 1] === 'u' && character.length === 4 && consistsOf(character, hexDigits)) return true;
  }
  return false;
}

/** Headers that drachtio-srf has a parser for and that a message can do without, with what that parser can read. */
const optionalHeaders: ReadonlyMap<string, (value: string) => boolean> = new Map([
  ['Path', areAddresses],
  ['P-Asserted-Identity', areAddresses],
  ['Remote-Party-ID', areAddresses],
  ['Refer-To', areAddresses],
  ['Referred-By', areAddresses],
  ['Authorization', areCredentials],
  ['Proxy-Authorization', areCredentials],
  ['WWW-Authenticate', areCredentials],
  ['Proxy-Authenticate', areCredentials],
]);

function areAddresses(value: string): boolean {
  return splitList(value).every((element) => parseNameAddr(element) !== undefined);
}

/** What real clients put behind `=` without quotes: more than a token. */
const bareValueBytes = byteSet("!#$%&'()*+-./:;<=>?@[]^_`{|}~", alphanumeric);

/** A scheme and at least one `name=value` (RFC 3261 §20.7), whatever the scheme. */
function areCredentials(value: string): boolean {
  const scanner = new Scanner(value);
  if (scanner.take(tokenBytes) === '') return false;
  const end = scanner.at;
  scanner.skipSpace();
  if (scanner.at === end) return false;
  do {
    scanner.skipSpace();
    if (scanner.take(tokenBytes) === '') return false;
    scanner.skipSpace();
    if (!scanner.eat('=')) return false;
    scanner.skipSpace();
    if (!(scanner.sees('"') ? scanner.takeQuoted() : scanner.take(bareValueBytes))) return false;
    scanner.skipSpace();
  } while (scanner.eat(','));
  return scanner.done;
}

function upperVia(value: string): string {
  const elements = splitList(value);
  if (elements.every((element) => element.startsWith('SIP'))) return value;
  const spelled = elements.map((element) => {
    const via = parseVia(element);
    return via ? formatVia(via) : element;
  });
  return spelled.join(', ');
}

/** Each run of SP and HT outside of quotes becomes one SP. */
function collapseSpace(value: string): string {
  if (!value.includes('  ') && !value.includes('\t')) return value;
  let text = '';
  let quoted = false;
  let start = 0;
  for (let i = 0; i < value.length; i++) {
    const character = value[i];
    if (character === '\\' && quoted) i++;
    else if (character === '"') quoted = !quoted;
    else if (!quoted && (character === ' ' || character === '\t')) {
      text += `${value.slice(start, i)} `;
      while (value[i + 1] === ' ' || value[i + 1] === '\t') i++;
      start = i + 1;
    }
  }
  return text + value.slice(start);
}
