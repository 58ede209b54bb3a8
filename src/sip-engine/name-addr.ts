import { type Params, Scanner, takeParams, tokenBytes } from './scanner.ts';
import { parseUri } from './uri.ts';

/** One value of From, To, Contact, Route, Record-Route and the like (RFC 3261 §20.10). */
export interface NameAddr {
  /** Without quotes and backslashes, words one space apart; undefined when there is none. */
  readonly display: string | undefined;
  /** As written and known to parse with `parseUri`; `*` for the wildcard of Contact. */
  readonly uri: string;
  /** The parameters of the header, such as `tag`; not those inside of `<>`. */
  readonly params: Params;
}

/** @returns undefined when `text` is not exactly one value */
export function parseNameAddr(text: string): NameAddr | undefined {
  const scanner = new Scanner(text);
  scanner.skipSpace();
  const start = scanner.at;
  const display = takeDisplay(scanner);
  if (display === undefined) return undefined;
  let uri: string;
  if (scanner.eat('<')) {
    const end = text.indexOf('>', scanner.at);
    if (end < 0) return undefined;
    uri = text.slice(scanner.at, end);
    scanner.at = end + 1;
  } else {
    uri = takeBareUri(scanner, start);
    // Without <> a comma, semicolon or question mark would belong to the header (RFC 3261 §20).
    if (uri.includes(',') || uri.includes('?')) return undefined;
  }
  if (!parseUri(uri) && uri !== '*') return undefined;
  const params = takeParams(scanner);
  return params && scanner.done ? { display: display || undefined, uri, params } : undefined;
}

/** Takes a display name; '' when there is none. Stops in front of `<`, or anywhere when a bare URI follows. */
function takeDisplay(scanner: Scanner): string | undefined {
  if (scanner.sees('"')) {
    const quoted = scanner.takeQuoted();
    scanner.skipSpace();
    return quoted !== undefined && scanner.sees('<') ? unquote(quoted) : undefined;
  }
  const words: string[] = [];
  for (let word = scanner.take(tokenBytes); word !== ''; word = scanner.take(tokenBytes)) {
    words.push(word);
    scanner.skipSpace();
  }
  return scanner.sees('<') ? words.join(' ') : '';
}

function takeBareUri(scanner: Scanner, start: number): string {
  const semicolon = scanner.text.indexOf(';', start);
  const end = semicolon < 0 ? scanner.text.length : semicolon;
  scanner.at = end;
  let last = end;
  while (last > start && (scanner.text[last - 1] === ' ' || scanner.text[last - 1] === '\t')) last--;
  return scanner.text.slice(start, last);
}

/** The text of a quoted-string. */
function unquote(quoted: string): string {
  const inner = quoted.slice(1, -1);
  if (!inner.includes('\\')) return inner;
  let text = '';
  for (let i = 0; i < inner.length; i++) text += inner[inner[i] === '\\' ? ++i : i];
  return text;
}
