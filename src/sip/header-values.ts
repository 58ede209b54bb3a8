/** Small readers of header values; the engine has capped their size and checked their form. */

/** The tokens of a comma-separated header: `Require`, `Supported`. */
export function headerList(value: string | undefined): string[] {
  return (value ?? '')
    .split(',')
    .map((token) => token.trim())
    .filter((token) => token !== '');
}

/** The URI of a name-addr or addr-spec (RFC 3261 §20.10): of `"A" <sip:a@b>;tag=1` it is `sip:a@b`. */
export function uriOf(value: string): string {
  const open = value.indexOf('<', quotedEnd(value));
  if (open < 0) return (value.split(';')[0] as string).trim();
  const close = value.indexOf('>', open);
  return value.slice(open + 1, close < 0 ? undefined : close);
}

/** Where a leading quoted display name ends; a `<` inside it is text. */
function quotedEnd(value: string): number {
  if (!value.trimStart().startsWith('"')) return 0;
  let at = value.indexOf('"') + 1;
  while (at < value.length && value[at] !== '"') at += value[at] === '\\' ? 2 : 1;
  return at;
}

/** Splits a header that is a list of addresses, such as `Contact`, at the commas outside quotes and angle brackets. */
export function splitAddresses(value: string): string[] {
  const parts: string[] = [];
  let start = 0;
  let quoted = false;
  let bracketed = false;
  for (let at = 0; at < value.length; at++) {
    const character = value[at];
    if (quoted && character === '\\') at++;
    else if (character === '"') quoted = !quoted;
    else if (!quoted && character === '<') bracketed = true;
    else if (!quoted && character === '>') bracketed = false;
    else if (!quoted && !bracketed && character === ',') {
      parts.push(value.slice(start, at));
      start = at + 1;
    }
  }
  parts.push(value.slice(start));
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

/** A parameter behind the address: `expires` of `<sip:a@b>;expires=60`. */
export function addressParameter(value: string, name: string): string | undefined {
  const close = value.lastIndexOf('>');
  const parameters = value.slice(close < 0 ? value.indexOf(';') : close + 1).split(';');
  for (const parameter of parameters) {
    const [key = '', text = ''] = parameter.split('=', 2);
    if (key.trim().toLowerCase() === name) return text.trim();
  }
  return undefined;
}

/** What the embedded engine says of the caller's TLS certificate. It is no header of the caller's. */
export const CERTIFICATE_HEADER = 'X-Kallglot-Peer-Certificate';

/** Characters of what an end calls itself that are kept. */
const AGENT_CHARACTERS = 200;

/** @param value of `User-Agent` or `Server` @returns what the other end calls itself; null where it does not say */
export const agentOf = (value: string | undefined): string | null =>
  value?.slice(0, AGENT_CHARACTERS) ?? null;

/** At most so many `X-` headers of an INVITE are kept, and so many characters of each. */
const EXTENSIONS_MOST = 20;
const EXTENSION_CHARACTERS = 1000;

/** The `X-` headers of a request, as they came (decisions §7). What names a certificate is not the caller's to say. */
export function extensionHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const own = Object.entries(headers).filter(
    ([name]) =>
      /^x-/i.test(name) && name.length <= 64 && name.toLowerCase() !== CERTIFICATE_HEADER.toLowerCase(),
  );
  return Object.fromEntries(
    own.slice(0, EXTENSIONS_MOST).map(([name, value]) => [name, value.slice(0, EXTENSION_CHARACTERS)]),
  );
}
