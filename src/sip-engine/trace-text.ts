import { masked } from './mask.ts';
import type { CallTrace } from './trace.ts';
import { bracketed, type Endpoint } from './transport.ts';
import type { WireMessage } from './wire-message.ts';

/** A trace for people: a line for each message, the peer on the left, then the messages themselves, without secrets. */
export function formatTrace(callId: string, { messages, earlier }: CallTrace): string {
  const dropped = earlier === 0 ? '' : ` (${earlier} before them are not kept)`;
  const first = messages[0]?.at ?? 0;
  const width = Math.max(...messages.map(({ remote }) => shown(remote).length));
  const ladder = messages.map((message, index) => ladderLine(message, index + 1, first, width));
  const texts = messages.map((message, index) => wholeMessage(message, index + 1));
  return readable(
    [`Call-ID: ${callId}`, `${messages.length} messages${dropped}`, '', ...ladder, '', ...texts, ''].join(
      '\n',
    ),
  );
}

function ladderLine(message: WireMessage, number: number, first: number, width: number): string {
  const seconds = ((message.at - first) / 1000).toFixed(3);
  const peer = shown(message.remote).padStart(width);
  return `${`${number}`.padStart(3)} ${`+${seconds}`.padStart(9)}  ${peer} ${arrow(message)} ${shown(message.local)}  ${message.transport}  ${summary(message.text)}`;
}

function wholeMessage(message: WireMessage, number: number): string {
  const { at, local, remote, transport, text } = message;
  const way = `${shown(remote)} ${arrow(message)} ${shown(local)}`;
  return `--- ${number}  ${new Date(at).toISOString()}  ${way}  ${transport}\n${masked(text)}\n`;
}

const shown = ({ address, port }: Endpoint): string => `${bracketed(address)}:${port}`;
const arrow = ({ direction }: WireMessage): string => (direction === 'in' ? '-->' : '<--');

/** `INVITE sip:… (SDP)`, `200 OK (INVITE, SDP)`. */
function summary(text: string): string {
  const line = /^[^\r\n]*/.exec(text)?.[0] ?? '';
  const method = /[\r\n]CSeq[ \t]*:[ \t]*\d+[ \t]+([^\s]+)/i.exec(text)?.[1];
  const response = /^SIP\/2\.0 /i.test(line);
  const notes = [response ? method : undefined, text.includes('\r\n\r\nv=0') ? 'SDP' : undefined];
  const known = notes.filter((note) => note !== undefined);
  const start = response ? line.slice(8) : line.replace(/ SIP\/2\.0$/i, '');
  return `${start.slice(0, 120)}${known.length === 0 ? '' : ` (${known.join(', ')})`}`;
}

/** UTF-8 as it was meant, lines as a terminal has them, and nothing that it would obey. */
function readable(latin1: string): string {
  const text = Buffer.from(latin1, 'latin1').toString('utf8').replaceAll('\r\n', '\n');
  return text.replace(/(?![\n\t])\p{Cc}/gu, '?');
}
