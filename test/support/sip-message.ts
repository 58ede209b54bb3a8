/**
 * SIP messages of the test phone: what a test may read, and bytes (RFC 3261 §7). Lenient in reading, exact in writing.
 */
const longNames: Readonly<Record<string, string>> = {
  i: 'call-id',
  m: 'contact',
  l: 'content-length',
  c: 'content-type',
  f: 'from',
  t: 'to',
  v: 'via',
  s: 'subject',
  k: 'supported',
};

/** Header fields in their order; names are compared without regard to case, compact forms included. */
export class SipHeaders {
  readonly fields: [name: string, value: string][] = [];

  constructor(fields: Iterable<readonly [string, string]> = []) {
    for (const [name, value] of fields) this.add(name, value);
  }

  add(name: string, value: string): this {
    this.fields.push([name, value]);
    return this;
  }

  /** Replaces all fields of that name. */
  set(name: string, value: string): this {
    const key = canonical(name);
    const at = this.fields.findIndex(([other]) => canonical(other) === key);
    if (at < 0) return this.add(name, value);
    this.fields[at] = [name, value];
    for (let i = this.fields.length - 1; i > at; i--)
      if (canonical(this.fields[i]![0]) === key) this.fields.splice(i, 1);
    return this;
  }

  /** The first field of that name. */
  get(name: string): string | undefined {
    return this.all(name)[0];
  }

  all(name: string): string[] {
    const key = canonical(name);
    return this.fields.filter(([other]) => canonical(other) === key).map(([, value]) => value);
  }
}

const canonical = (name: string): string => {
  const lower = name.toLowerCase();
  return longNames[lower] ?? lower;
};

export interface SipRequest {
  method: string;
  uri: string;
  headers: SipHeaders;
  body: string;
}

export interface SipResponse {
  status: number;
  reason: string;
  headers: SipHeaders;
  body: string;
}

export type SipMessage = SipRequest | SipResponse;
export const isRequest = (message: SipMessage): message is SipRequest => 'method' in message;

/** @throws Error when the text is no SIP message at all */
export function parseMessage(bytes: Buffer): SipMessage {
  const end = bytes.indexOf('\r\n\r\n');
  const head = bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
  const body = end < 0 ? '' : bytes.toString('utf8', end + 4);
  const [first = '', ...lines] = head.replace(/\r\n[ \t]+/g, ' ').split('\r\n');
  const headers = new SipHeaders();
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.add(line.slice(0, colon).trim(), line.slice(colon + 1).trim());
  }
  const response = /^SIP\/2\.0 (\d{3}) ?(.*)$/.exec(first);
  if (response) return { status: Number(response[1]), reason: response[2]!, headers, body };
  const request = /^(\S+) (\S+) SIP\/2\.0$/.exec(first);
  if (request) return { method: request[1]!, uri: request[2]!, headers, body };
  throw new Error(`not a SIP message: ${first.slice(0, 80)}`);
}

/** Writes a message; Content-Length is always computed. */
export function writeMessage(message: SipMessage): Buffer {
  const first = isRequest(message)
    ? `${message.method} ${message.uri} SIP/2.0`
    : `SIP/2.0 ${message.status} ${message.reason}`;
  const fields = message.headers.fields.filter(([name]) => canonical(name) !== 'content-length');
  const lines = [first, ...fields.map(([name, value]) => `${name}: ${value}`)];
  return Buffer.from(
    `${lines.join('\r\n')}\r\nContent-Length: ${Buffer.byteLength(message.body)}\r\n\r\n${message.body}`,
  );
}

/** Cuts a TCP stream into messages by Content-Length; keep-alive CRLFs between them are skipped. */
export class MessageStream {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): Buffer[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const messages: Buffer[] = [];
    for (;;) {
      while (this.#rest[0] === 13 || this.#rest[0] === 10) this.#rest = this.#rest.subarray(1);
      const end = this.#rest.indexOf('\r\n\r\n');
      if (end < 0) return messages;
      const length = /\r\n(?:content-length|l)[ \t]*:[ \t]*(\d+)/i.exec(
        this.#rest.toString('latin1', 0, end),
      );
      const total = end + 4 + Number(length?.[1] ?? 0);
      if (this.#rest.length < total) return messages;
      messages.push(this.#rest.subarray(0, total));
      this.#rest = this.#rest.subarray(total);
    }
  }
}

/** The value of a parameter such as `tag` or `branch` in a header value, without quotes. */
export function parameter(value: string | undefined, name: string): string | undefined {
  return new RegExp(`[;,?\\s]${name}\\s*=\\s*"?([^";,\\s>]+)`, 'i').exec(` ${value ?? ''}`)?.[1];
}

/** The URI inside a name-addr or addr-spec. */
export function uriOf(value: string): string {
  return /<([^>]*)>/.exec(value)?.[1] ?? value.split(';')[0]!.trim();
}

/** Host and port of a SIP URI, brackets of IPv6 taken off; 5060 where none is named. */
export function hostOf(uri: string): { host: string; port: number } {
  const match = /^sips?:(?:[^@]*@)?(\[[^\]]+\]|[^:;?>]+)(?::(\d+))?/i.exec(uri);
  if (!match) throw new Error(`not a SIP URI: ${uri}`);
  return { host: match[1]!.replace(/^\[|\]$/g, ''), port: Number(match[2] ?? 5060) };
}
