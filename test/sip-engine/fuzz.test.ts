import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { forApplication } from '../../src/sip-engine/application-copy.ts';
import { StreamFramer } from '../../src/sip-engine/framing.ts';
import {
  header,
  headersOf,
  parseMessage,
  type SipMessage,
  serializeMessage,
} from '../../src/sip-engine/message.ts';
import { parseNameAddr } from '../../src/sip-engine/name-addr.ts';
import { parseVia } from '../../src/sip-engine/via.ts';
import { fixture, judge, requestLines, sip } from './verdict.ts';

interface DrachtioMessage {
  readonly method?: string;
  readonly uri?: string;
  readonly body?: string;
  get(name: string): string | undefined;
  getParsedHeader(name: string): unknown;
  readonly callingNumber: string;
  readonly callingName: string;
}
const DrachtioMessage: new (text: string) => DrachtioMessage = createRequire(import.meta.url)(
  'drachtio-srf/lib/sip-parser/message',
);

/** mulberry32: the same mutants on every run. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const seeds = [
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

/** Pieces that parsers trip over. */
const pieces =
  `; , " \\ < > <sip:a@b> : @ = % %4 %41 %00 %u0041 [ ] [::1] ::: | \r\n \r \n \0 \x7f \xa0 \xe2\x80\xa8
\xff SIP/2.0 sip/2.0/udp SIP/2.0/UDP * tel:+1 2147483648 -1 0 ; ;tag= ;; ,, "" ? # __proto__ constructor Via: v: l:
Contact: m: C%6Fntact: To: %54o: ;received=[::1] \r\n\x20 \r\n\x09 \r\n\r\n`
    .split(/[ \n]/)
    .concat(['\r\n', '\n', ' ', '\t', '      ', '\r\n ', '\r\n\r\n'])
    .map((piece) => Buffer.from(piece, 'latin1'));

function mutate(source: Buffer, random: (below: number) => number): Buffer {
  let bytes = source;
  for (let edits = 1 + random(3); edits > 0; edits--) {
    const at = random(bytes.length);
    const end = Math.min(bytes.length, at + random(random(8) === 0 ? 60 : 4));
    const other = seeds[random(seeds.length)]!;
    const from = random(other.length);
    const inserts = [
      Buffer.alloc(0),
      Buffer.from([random(256)]),
      pieces[random(pieces.length)]!,
      other.subarray(from, from + random(40)),
    ];
    bytes = Buffer.concat([bytes.subarray(0, at), inserts[random(inserts.length)]!, bytes.subarray(end)]);
  }
  return bytes;
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

/** A request in which one or two header values are put together at random. */
function assemble(random: (below: number) => number): Buffer {
  const value = (kind: string) =>
    Array.from({ length: 1 + random(6) }, () => {
      const source = fragments[random(3) === 0 ? 'any' : kind]!;
      return source[random(source.length)];
    }).join('');
  const kinds: [string, string][] = [
    ...['From', 'To', 'Contact', 'Route', 'P-Asserted-Identity', 'Refer-To', 'Authorization'].map(
      (name): [string, string] => [name, 'address'],
    ),
    ['Via', 'via'],
    ['Via', 'via'],
  ];
  const changes: Record<string, string> = {};
  for (let n = 1 + random(2); n > 0; n--) {
    const [name, kind] = kinds[random(kinds.length)]!;
    changes[name] = value(kind);
  }
  return sip(requestLines(random(2) ? 'INVITE' : 'REGISTER', changes));
}

/** Runs `check` on 30,000 mutants: half of them torture messages with bytes changed, half put together from pieces. */
function fuzz(seed: number, check: (mutant: Buffer, random: (below: number) => number) => void): void {
  const random = randomNumbers(seed);
  for (let i = 0; i < 30_000; i++) {
    const mutant = i % 2 ? assemble(random) : mutate(seeds[random(seeds.length)]!, random);
    try {
      check(mutant, random);
    } catch (error) {
      throw new Error(`mutant ${i}: ${JSON.stringify(mutant.toString('latin1'))}`, { cause: error });
    }
  }
}

const withoutLength = (message: SipMessage) => ({
  ...message,
  headers: message.headers.filter((field) => field.name !== 'Content-Length'),
});

/** Seconds when the machine is quiet; it need not be. */
const patient = { timeout: 180_000 };

describe('30,000 mutants of the torture messages', patient, () => {
  it('throw nothing but SipParseError, and what is handled survives writing and reading', () => {
    let handled = 0;
    fuzz(1, (mutant) => {
      const { verdict, message } = judge(mutant);
      if (verdict !== 'handled' || !message) return;
      handled++;
      const again = judge(serializeMessage(message));
      expect(again.verdict).toBe('handled');
      expect(withoutLength(again.message!)).toEqual(withoutLength(message));
    });
    // The check is worth something only when many of them get that far.
    expect(handled).toBeGreaterThan(5_000);
  });

  it('come out of the stream framer the same, whole or in pieces', () => {
    fuzz(2, (mutant, random) => {
      const whole = new StreamFramer().feed(mutant);
      const framer = new StreamFramer();
      const cut = random(mutant.length);
      const pieces = [...framer.feed(mutant.subarray(0, cut)), ...framer.feed(mutant.subarray(cut))];
      expect(pieces).toEqual(whole);
    });
  });

  it('are read by drachtio-srf without a throw once they are validated', () => {
    const names = [
      'from',
      'to',
      'via',
      'contact',
      'cseq',
      'call-id',
      'route',
      'record-route',
      'content-length',
    ];
    const optional = ['p-asserted-identity', 'refer-to', 'referred-by', 'authorization', 'remote-party-id'];
    let read = 0;
    fuzz(3, (mutant) => {
      const { verdict, message } = judge(mutant);
      if (verdict !== 'handled' || !message) return;
      const seen = new DrachtioMessage(serializeMessage(forApplication(message)).toString());
      for (const name of [...names, ...optional]) if (seen.get(name)) seen.getParsedHeader(name);
      for (const name of names.slice(0, 3)) expect(seen.get(name), name).toBeTruthy();
      if (message.kind === 'request') expect([seen.method, seen.uri]).toEqual([message.method, message.uri]);
      expect(typeof seen.callingNumber).toBe('string');
      expect(typeof seen.callingName).toBe('string');
      expect(seen.getParsedHeader('cseq')).toEqual({
        seq: Number.parseInt(header(message, 'CSeq')!, 10),
        method: header(message, 'CSeq')!.split(/\s+/)[1],
      });
      expect(seen.get('Call-ID')).toBe(header(message, 'Call-ID'));
      read++;
    });
    expect(read).toBeGreaterThan(5_000);
  });
});

describe('every header value that was validated', patient, () => {
  it('has Vias and addresses that the engine can read again from a serialised copy', () => {
    fuzz(4, (mutant) => {
      const { verdict, message } = judge(mutant);
      if (verdict !== 'handled' || !message) return;
      const copy = parseMessage(serializeMessage(forApplication(message)));
      const vias = headersOf(message, 'Via').map((text) => parseVia(text));
      expect(headersOf(copy, 'Via').map((text) => parseVia(text))).toEqual(vias);
      for (const name of ['From', 'To', 'Contact']) {
        const read = (source: SipMessage) => headersOf(source, name).map((text) => parseNameAddr(text));
        const expected = read(message);
        expect(read(copy)).toEqual(expected);
      }
    });
  });
});
