import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { forApplication } from '../../src/sip-engine/application-copy.ts';
import { parseCSeq } from '../../src/sip-engine/cseq.ts';
import { type StreamEvent, StreamFramer } from '../../src/sip-engine/framing.ts';
import { limits } from '../../src/sip-engine/limits.ts';
import {
  header,
  headersOf,
  type SipMessage,
  serializeMessage,
  splitList,
} from '../../src/sip-engine/message.ts';
import { parseNameAddr } from '../../src/sip-engine/name-addr.ts';
import { parseUri } from '../../src/sip-engine/uri.ts';
import { formatVia, parseVia } from '../../src/sip-engine/via.ts';
import { judge, type Verdict } from '../sip-engine/verdict.ts';
import { EngineHarness } from '../support/engine-harness.ts';
import { type Target, target } from './fuzz.ts';
import { mutateBytes, sipPieces } from './mutate.ts';
import { pick } from './random.ts';
import { headerValue, sipMutant } from './sip-mutants.ts';

type Judged = { verdict: Verdict; message?: SipMessage };

const handled = ({ verdict, message }: Judged): SipMessage | undefined =>
  verdict === 'handled' ? message : undefined;

/** What is handled survives writing and reading again, and so do its Vias and addresses in the application's copy. */
const message = target<Judged>({
  name: 'SIP message',
  mutant: sipMutant,
  read: judge,
  check(judged) {
    const read = handled(judged);
    // One that is full has no room for the Content-Length that writing adds.
    if (read === undefined || read.headers.length === limits.headers) return false;
    const again = judge(serializeMessage(read));
    assert.equal(again.verdict, 'handled');
    assert.deepEqual(withoutLength(again.message!), withoutLength(read));
    const copy = judge(serializeMessage(forApplication(read))).message!;
    assert.deepEqual(structured(copy), structured(read));
    return true;
  },
});

const withoutLength = (sip: SipMessage) => ({
  ...sip,
  headers: sip.headers.filter((field) => field.name !== 'Content-Length'),
});

const structured = (sip: SipMessage) => [
  headersOf(sip, 'Via').map((text) => parseVia(text)),
  ...['From', 'To', 'Contact'].map((name) => headersOf(sip, name).map((text) => parseNameAddr(text))),
];

/** However a stream is split, the same comes out: byte by byte always, and now and then at each of its bytes in turn. */
const stream = target<StreamEvent[]>({
  name: 'SIP stream',
  mutant: (random) => Buffer.concat(Array.from({ length: 1 + random(3) }, () => sipMutant(random))),
  read: (mutant) => new StreamFramer().feed(mutant),
  check(whole, mutant, random) {
    const framer = new StreamFramer();
    const trickled: StreamEvent[] = [];
    for (let i = 0; i < mutant.length; i++) trickled.push(...framer.feed(mutant.subarray(i, i + 1)));
    assert.deepEqual(trickled, whole);
    const step = random(100) === 0 ? 1 : mutant.length;
    for (let cut = random(step + 1); cut < mutant.length; cut += step) {
      const inTwo = new StreamFramer();
      assert.deepEqual([...inTwo.feed(mutant.subarray(0, cut)), ...inTwo.feed(mutant.subarray(cut))], whole);
    }
    return whole.some(({ kind }) => kind === 'message');
  },
});

interface DrachtioMessage {
  readonly method?: string;
  readonly uri?: string;
  get(name: string): string | undefined;
  getParsedHeader(name: string): unknown;
  readonly callingNumber: string;
  readonly callingName: string;
}
const DrachtioMessage: new (text: string) => DrachtioMessage = createRequire(import.meta.url)(
  'drachtio-srf/lib/sip-parser/message',
);

const readByDrachtio =
  `from to via contact cseq call-id route record-route content-length p-asserted-identity refer-to
referred-by authorization remote-party-id`.split(/\s+/);

/** drachtio-srf reads whatever the engine hands it, without a throw, and sees the same message. */
const application = target<Judged>({
  name: 'message for the application',
  mutant: sipMutant,
  read: judge,
  check(judged) {
    const read = handled(judged);
    if (read === undefined) return false;
    const seen = new DrachtioMessage(serializeMessage(forApplication(read)).toString());
    for (const name of readByDrachtio) if (seen.get(name)) seen.getParsedHeader(name);
    for (const name of readByDrachtio.slice(0, 3)) assert(seen.get(name), name);
    if (read.kind === 'request') assert.deepEqual([seen.method, seen.uri], [read.method, read.uri]);
    assert.equal(typeof seen.callingNumber, 'string');
    assert.equal(typeof seen.callingName, 'string');
    const { number, method } = parseCSeq(header(read, 'CSeq')!)!;
    assert.deepEqual({ ...(seen.getParsedHeader('cseq') as object) }, { seq: number, method });
    assert.equal(seen.get('Call-ID'), header(read, 'Call-ID'));
    return true;
  },
});

const valueSources = [
  'SIP/2.0/UDP [2001:db8::9:1]:5061;branch=z9hG4bK1;rport',
  '"A, B" <sip:a:b@h:5060;lr?x=y>;tag=1',
]
  .concat(
    'sips:a%40b@[::ffff:192.0.2.1]:5061;transport=tls;x=%41',
    'tel:+1-201;phone-context=x.com',
    '1 INVITE',
  )
  .map((text) => Buffer.from(text));

/** The scanners of single values; what parses as a Via is the same when it is written and parsed again. */
const values = target<ReturnType<typeof readValue>>({
  name: 'header value',
  mutant: (random) => {
    const value = random(2)
      ? Buffer.from(headerValue(pick(['address', 'via'] as const, random), random))
      : undefined;
    return mutateBytes(value ?? pick(valueSources, random), sipPieces, valueSources, random);
  },
  read: readValue,
  check({ via, address }) {
    if (via !== undefined) assert.deepEqual(parseVia(formatVia(via)), via);
    if (address !== undefined && address.uri !== '*') assert(parseUri(address.uri));
    return via !== undefined || address !== undefined;
  },
});

function readValue(mutant: Buffer) {
  const text = mutant.toString('latin1');
  const [first = ''] = splitList(text);
  return { via: parseVia(first), address: parseNameAddr(first), uri: parseUri(text), cseq: parseCSeq(text) };
}

/** The whole engine behind its sockets, with an application: whatever comes, it has an answer or none, and no throw. */
const core = target<number>({
  name: 'engine',
  mutant: sipMutant,
  read(mutant) {
    const harness = new EngineHarness();
    harness.app('invite', 'register', 'options', 'message', 'bye', 'update', 'info', 'prack');
    const peer = harness.peer();
    harness.receive(mutant, peer);
    harness.receive(mutant, peer);
    harness.core.close();
    return peer.raw.length;
  },
  check: (answers) => answers > 0,
});

export const sipTargets: readonly Target[] = [message, stream, application, values, core];
