import type { Endpoint, Flow, TransportName } from './transport.ts';

/** One message as it was on the wire, for traces. */
export interface WireMessage {
  readonly direction: Direction;
  /** Wall clock, ms. */
  readonly at: number;
  readonly transport: TransportName;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** A byte a character. A string of its own: a Buffer would hold the whole piece of memory that it was cut from. */
  readonly text: string;
}

export type Direction = 'in' | 'out';

/** Bytes of a message that are kept; longer ones are refused by the engine anyhow. */
const MAX_BYTES = 16_384;

export function wireMessage(direction: Direction, bytes: Buffer, flow: Flow, at: number): WireMessage {
  const { transport, local, remote } = flow;
  const text = bytes.toString('latin1', 0, Math.min(bytes.length, MAX_BYTES));
  return { direction, at, transport, local, remote, text };
}

const CALL_ID = '\r\nCall-ID:';
const anyCallId = /[\r\n](?:call-id|i)[ \t]*:([^\r\n]*)/i;

/** The Call-ID of a message, also of one that is too malformed for the parser; undefined when there is none. */
export function callIdOf(text: string): string | undefined {
  const at = text.indexOf(CALL_ID);
  if (at < 0) return anyCallId.exec(text)?.[1]?.trim() || undefined;
  const start = at + CALL_ID.length;
  const end = text.indexOf('\r', start);
  return text.slice(start, end < 0 ? text.length : end).trim() || undefined;
}
