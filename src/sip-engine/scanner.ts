/**
 * The hand-written scanner under all the grammars of RFC 3261 §25.1. It only moves forward, so everything built on it
 * takes linear time. Texts hold one byte per character (latin1, see message.ts).
 */

/** A set of bytes, as a table: 1 for a member. */
export type ByteSet = Uint8Array;

export function byteSet(characters: string, ...sets: ByteSet[]): ByteSet {
  const table = new Uint8Array(256);
  for (let i = 0; i < characters.length; i++) table[characters.charCodeAt(i)] = 1;
  for (const set of sets) for (let i = 0; i < 256; i++) if (set[i]) table[i] = 1;
  return table;
}

export const digits = byteSet('0123456789');
export const hexDigits = byteSet('abcdefABCDEF', digits);
export const alphanumeric = byteSet('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ', digits);
/** `token`: methods, header names, parameter names, tags, branches. */
export const tokenBytes = byteSet("-.!%*_+`'~", alphanumeric);
/** `gen-value` without its quotes: a token or a host, and that may be an IPv6 reference. */
const parameterValueBytes = byteSet('[]:', tokenBytes);

/** Whether `text` has at least one character and all of them are in `set`. */
export function consistsOf(text: string, set: ByteSet): boolean {
  if (text === '') return false;
  for (let i = 0; i < text.length; i++) if (!set[text.charCodeAt(i)]) return false;
  return true;
}

export class Scanner {
  readonly text: string;
  at: number;

  constructor(text: string, at = 0) {
    this.text = text;
    this.at = at;
  }

  get done(): boolean {
    return this.at >= this.text.length;
  }

  /** Whether the next character is `character`; does not move. */
  sees(character: string): boolean {
    return this.text.charCodeAt(this.at) === character.charCodeAt(0);
  }

  /** Takes `character` if it is the next one. */
  eat(character: string): boolean {
    if (!this.sees(character)) return false;
    this.at++;
    return true;
  }

  /** Takes the longest run of members of `set`; '' when there is none. */
  take(set: ByteSet): string {
    const start = this.at;
    while (set[this.text.charCodeAt(this.at)]) this.at++;
    return this.text.slice(start, this.at);
  }

  /** Skips linear white space; lines were unfolded before, so that is SP and HT. */
  skipSpace(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code !== 0x20 && code !== 0x09) return;
      this.at++;
    }
  }

  /** Takes a quoted-string with its quotes, as written. @returns undefined when it is not closed or has bad bytes */
  takeQuoted(): string | undefined {
    const start = this.at;
    if (!this.eat('"')) return undefined;
    while (!this.done) {
      const code = this.text.charCodeAt(this.at++);
      if (code === 0x22) return this.text.slice(start, this.at);
      if (code === 0x5c) {
        // quoted-pair: any ASCII but CR and LF, NUL included.
        const escaped = this.text.charCodeAt(this.at++);
        if (!(escaped < 0x80) || escaped === 0x0d || escaped === 0x0a) return undefined;
      } else if ((code < 0x20 && code !== 0x09) || code === 0x7f) return undefined;
    }
    return undefined;
  }
}

/** Parameters by lower-case name; the value as written (quotes kept), null for one without `=`. */
export type Params = Map<string, string | null>;

/**
 * Takes `*( SEMI generic-param )` and the white space around it. @returns undefined when one does not parse or comes
 * twice (RFC 3261 §7.3.1)
 */
export function takeParams(scanner: Scanner): Params | undefined {
  const params: Params = new Map();
  scanner.skipSpace();
  while (scanner.eat(';')) {
    scanner.skipSpace();
    const name = scanner.take(tokenBytes).toLowerCase();
    if (name === '' || params.has(name)) return undefined;
    scanner.skipSpace();
    let value: string | null = null;
    if (scanner.eat('=')) {
      scanner.skipSpace();
      const taken = scanner.sees('"') ? scanner.takeQuoted() : scanner.take(parameterValueBytes);
      if (!taken) return undefined;
      value = taken;
      scanner.skipSpace();
    }
    params.set(name, value);
  }
  return params;
}

export function formatParams(params: Params): string {
  let text = '';
  for (const [name, value] of params) text += value === null ? `;${name}` : `;${name}=${value}`;
  return text;
}

/** A decimal number of any written length (leading zeros are legal). @returns undefined when it is not one, or over `max` */
export function parseNumber(text: string, max: number): number | undefined {
  if (!consistsOf(text, digits)) return undefined;
  const value = Number(text);
  return value <= max ? value : undefined;
}
