import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseCSeq } from '../../src/sip-engine/cseq.ts';
import {
  header,
  headersOf,
  parseMessage,
  type SipRequest,
  serializeMessage,
} from '../../src/sip-engine/message.ts';
import { parseNameAddr } from '../../src/sip-engine/name-addr.ts';
import { parseUri } from '../../src/sip-engine/uri.ts';
import { parseVia } from '../../src/sip-engine/via.ts';
import { rfc4475, rfc5118, verdictFor } from './torture-table.ts';
import { fixture, judge } from './verdict.ts';

describe('the verdict on each torture message', () => {
  it.each([...rfc4475, ...rfc5118])('$section $name: $outcome ($asks)', ({ name, outcome }) => {
    expect(judge(fixture(name)).verdict).toBe(verdictFor(outcome));
  });

  it('covers every fixture', () => {
    const files = readdirSync(new URL('../fixtures/sip/', import.meta.url)).filter((file) =>
      file.endsWith('.dat'),
    );
    const names = [...rfc4475, ...rfc5118].map(({ name }) => `${name}.dat`);
    expect(names.toSorted()).toEqual(files.toSorted());
    expect(rfc4475.length).toBe(49);
  });

  it('keeps every message that it handles through writing and reading again', () => {
    for (const { name, outcome } of [...rfc4475, ...rfc5118]) {
      if (verdictFor(outcome) !== 'handled') continue;
      const { headers, ...rest } = parseMessage(fixture(name));
      const again = parseMessage(serializeMessage({ headers, ...rest }));
      expect({ ...again, headers: undefined }, name).toEqual({ ...rest, headers: undefined });
      const others = (fields: typeof headers) => fields.filter((field) => field.name !== 'Content-Length');
      expect(others(again.headers), name).toEqual(others(headers));
    }
  });
});

describe('what is understood of the valid ones', () => {
  const request = (name: string): SipRequest => parseMessage(fixture(name)) as SipRequest;

  it('unfolds, expands compact names and splits lists (wsinv)', () => {
    const message = request('wsinv');
    expect(header(message, 'to')).toBe('sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n');
    expect(parseNameAddr(header(message, 'From')!)).toMatchObject({
      display: 'J Rosenberg \\"',
      uri: 'sip:jdrosen@example.com',
      params: new Map([['tag', '98asjd8']]),
    });
    expect(parseCSeq(header(message, 'CSeq')!)).toEqual({ number: 9, method: 'INVITE' });
    const vias = headersOf(message, 'Via').map((text) => parseVia(text));
    expect(vias.map((via) => [via?.transport, via?.host, via?.params.get('branch')])).toEqual([
      ['UDP', '192.0.2.2', '390skdjuw'],
      ['TCP', 'spindle.example.com', 'z9hG4bK9ikj8'],
      ['UDP', '192.168.255.111', 'z9hG4bK30239'],
    ]);
    expect(header(message, 'Subject')).toBe('');
    expect(header(message, 'NewFangledHeader')).toBe('newfangled value continued newfangled value');
    expect(header(message, 'UnknownHeaderWithUnusualValue')).toBe(';;,,;;,;');
    expect(parseNameAddr(headersOf(message, 'Contact')[0]!)?.params).toEqual(
      new Map([
        ['newparam', 'newvalue'],
        ['secondparam', null],
        ['q', '0.33'],
      ]),
    );
    expect(message.body.length).toBe(150);
  });

  it('takes every character that the grammar takes (intmeth)', () => {
    const message = request('intmeth');
    expect(message.method).toBe("!interesting-Method0123456789_*+`.%indeed'~");
    expect(parseUri(message.uri)).toMatchObject({
      user: "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*",
      password: "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)",
      host: 'example.com',
    });
    expect(parseNameAddr(header(message, 'To')!)?.display).toBe('BEL:\x07 NUL:\0 DEL:\x7f');
    const from = parseNameAddr(header(message, 'From')!);
    expect(from?.display).toBe("token1~` token2'+_ token3*%!.-");
    const utf8 = Buffer.from(from?.params.get("fromparam''~+*_!.-%") ?? '', 'latin1').toString();
    expect(utf8).toBe('"работающий"');
    expect(header(message, 'Call-ID')).toBe('intmeth.word%ZK-!.*_+\'@word`~)(><:\\/"][?}{');
  });

  it('never decodes escapes (esc01, esc02, escnull, semiuri)', () => {
    expect(parseUri(request('esc01').uri)).toMatchObject({
      user: 'sips%3Auser%40example.com',
      host: 'example.net',
    });
    const contact = parseUri(parseNameAddr(headersOf(request('esc01'), 'Contact')[0]!)!.uri);
    expect(contact?.params.get('n%61me')).toBe('v%61lue%25%34%31');
    expect(request('esc02').method).toBe('RE%47IST%45R');
    expect(headersOf(request('esc02'), 'Contact')).toHaveLength(2);
    expect(parseUri(parseNameAddr(header(request('escnull'), 'To')!)!.uri)?.user).toBe('null-%00-null');
    expect(parseUri(request('semiuri').uri)).toMatchObject({
      user: 'user;par=u%40example.net',
      host: 'example.com',
    });
  });

  it('stops at Content-Length and keeps binary bodies (dblreq, mpart01)', () => {
    expect(request('dblreq').body.length).toBe(0);
    const { body } = request('mpart01');
    expect(body.length).toBe(553);
    expect(body.includes(Buffer.from([0x30, 0x82, 0x01, 0x52, 0x06, 0x09, 0x2a, 0x86, 0x48]))).toBe(true);
  });

  it('reads long values and all 34 Vias (longreq)', () => {
    const vias = headersOf(request('longreq'), 'Via').map((text) => parseVia(text));
    expect(vias).toHaveLength(34);
    expect(vias.at(-1)?.params.get('received')).toBe('192.0.2.5');
  });

  it('reads reason phrases of any bytes and none (unreason, noreason)', () => {
    const odd = parseMessage(fixture('unreason'));
    const empty = parseMessage(fixture('noreason'));
    expect(odd.kind === 'response' && Buffer.from(odd.reason, 'latin1').toString()).toBe(
      '= 2**3 * 5**2 но сто девяносто девять - простое',
    );
    expect(empty).toMatchObject({ status: 100, reason: '' });
  });

  it('reads IPv6 references with and without port (RFC 5118)', () => {
    expect(parseUri(request('v6-good').uri)).toMatchObject({ host: '[2001:db8::10]', port: undefined });
    expect(parseUri(request('v6-port').uri)).toMatchObject({ host: '[2001:db8::10]', port: 5070 });
    expect(parseUri(request('v6-port-ambiguous').uri)).toMatchObject({
      host: '[2001:db8::10:5070]',
      port: undefined,
    });
    expect(parseUri(request('v6-three-colons').uri)?.host).toBe('[2001:db8::192.0.2.1]');
    expect(parseVia(headersOf(request('v6-mapped'), 'Via')[0]!)).toMatchObject({
      host: '[::ffff:192.0.2.10]',
      port: 19823,
    });
    const received = (name: string) => parseVia(headersOf(request(name), 'Via')[0]!)?.params.get('received');
    expect(received('v6-received')).toBe('2001:db8::9:255');
    expect(received('v6-received-brackets')).toBe('[2001:db8::9:255]');
  });
});
