import { readdirSync } from 'node:fs';
import { fixture, requestLines, sip } from '../sip-engine/verdict.ts';
import { mutateBytes, sipPieces } from './mutate.ts';
import { pick, type Random } from './random.ts';

/** SIP messages that are wrong in some way, or odd: of the torture messages, and put together from pieces. */

/** The torture messages, and one request with what they lack. */
const sipSources: readonly Buffer[] = [
  ...readdirSync(new URL('../fixtures/sip/', import.meta.url))
    .filter((file) => file.endsWith('.dat'))
    .map((file) => fixture(file.slice(0, -4))),
  sip(
    requestLines('INVITE', {
      'P-Asserted-Identity': '"Bob" <sip:bob@example.com>, <tel:+15551234>',
      Authorization:
        'Digest username="a", realm="b", nonce="c", uri="sip:x", response="d", qop=auth, nc=00000001',
      'Refer-To': '<sip:carol@example.com?Replaces=12%40a>',
      'Record-Route': '<sip:p1.example.com;lr>, <sip:p2.example.com;lr>',
      'Content-Type': 'multipart/mixed;boundary=b',
    }),
    '--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b--\r\n',
  ),
];

/** A mutant of one of five kinds. */
export function sipMutant(random: Random): Buffer {
  const kind = random(10);
  if (kind < 4) return assemble(random);
  const source = pick(sipSources, random);
  if (kind < 7) return mutateBytes(source, sipPieces, sipSources, random);
  if (kind < 9) return mutateHeaders(source, random);
  return mutateLengths(source, random);
}

/** Header lines are repeated, left out, moved, folded, made long, or given another's value. */
function mutateHeaders(source: Buffer, random: Random): Buffer {
  const text = source.toString('latin1');
  const blank = text.indexOf('\r\n\r\n');
  const [start = '', ...lines] = text.slice(0, blank < 0 ? text.length : blank).split('\r\n');
  for (let edits = 1 + random(3); edits > 0; edits--) changeLines(lines, random);
  const rest = blank < 0 ? '' : text.slice(blank);
  return Buffer.from([start, ...lines].join('\r\n') + rest, 'latin1');
}

function changeLines(lines: string[], random: Random): void {
  const at = random(lines.length + 1);
  const line = lines[at] ?? 'X-Empty:';
  const other = pick(lines.length === 0 ? [''] : lines, random);
  const changes: (() => void)[] = [
    () => lines.splice(at, 1),
    () => lines.splice(at, 0, ...Array<string>(1 + random(3)).fill(line)),
    () => lines.splice(random(lines.length + 1), 0, ...lines.splice(at, 1)),
    () => lines.splice(at, 1, line.replace(/([;, ])/g, '$1\r\n ')),
    () => lines.splice(at, 1, line + pick(['x', ' ', ';p', ',', '"', '<'], random).repeat(random(3_000))),
    () => lines.splice(at, 1, line.replace(/:.*/s, other.replace(/^[^:]*/, ''))),
    () => lines.splice(at, 0, ...Array.from({ length: random(260) }, (_, i) => `X-${i}: ${i}`)),
  ];
  pick(changes, random)();
}

/** Content-Length and CSeq, the numbers that frame and order messages, get other ones. */
function mutateLengths(source: Buffer, random: Random): Buffer {
  const numbers = [
    '-1',
    '0',
    '1',
    '00',
    '13',
    '99999',
    '4294967296',
    '1e3',
    '0x10',
    ' 7',
    '7 7',
    '',
    '9'.repeat(40),
  ];
  const text = source
    .toString('latin1')
    .replace(/^(Content-Length|l|CSeq)( *: *)\d*/gim, (all, name, colon) => {
      return random(3) === 0 ? all : `${name}${colon}${pick(numbers, random)}`;
    });
  return Buffer.from(text + 'x'.repeat(random(2) * random(100)), 'latin1');
}

/** Fragments of header values that are right in the right place. */
const fragments: Record<string, string[]> = {
  address: [
    '"a, b" ',
    '"\\"" ',
    'a b ',
    '<sip:a@b>',
    '<sip:a;b@[::1]:5060;lr>',
    '<tel:+1>',
    'sip:a@b',
    '*',
    '<x:y>',
  ],
  via: [
    'SIP/2.0/UDP h',
    'sip/2.0/udp h:1',
    'SIP / 2.0 / TCP [::1] : 5060',
    'SIP/3.0/X h',
    ';branch=z9hG4bK1',
    ';rport',
  ],
  any: [
    ';tag=1',
    '; x',
    ';y = "q;,"',
    ';z=[::1]',
    ',',
    ', ',
    ' ',
    '   ',
    '\t',
    ';w=1.2.3.4',
    '\r\n ',
    '1 INVITE',
  ],
};

/** A header value that is put together at random. */
export function headerValue(kind: 'address' | 'via', random: Random): string {
  return Array.from({ length: 1 + random(6) }, () =>
    pick(fragments[random(3) === 0 ? 'any' : kind]!, random),
  ).join('');
}

/** A request in which one or two header values are put together at random. */
function assemble(random: Random): Buffer {
  const names = ['From', 'To', 'Contact', 'Route', 'P-Asserted-Identity', 'Refer-To', 'Authorization'];
  const changes: Record<string, string> = {};
  for (let n = 1 + random(2); n > 0; n--) {
    if (random(names.length + 2) < 2) changes.Via = headerValue('via', random);
    else changes[pick(names, random)] = headerValue('address', random);
  }
  return sip(requestLines(random(2) ? 'INVITE' : 'REGISTER', changes));
}
