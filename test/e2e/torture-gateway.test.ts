import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { fixture } from '../sip-engine/verdict.ts';
import { type BytePeer, messagesOf, openUdpPeer } from '../support/byte-peer.ts';
import { authorization, parseChallenge } from '../support/digest-client.ts';
import { TestGateway } from '../support/gateway.ts';
import { headerIn } from '../support/sip-caller.ts';

/** Torture messages of RFC 4475 whose answer is the application's to give, sent to a whole gateway. */
describe('torture messages at the gateway', () => {
  let gateway: TestGateway;
  let peer: BytePeer;
  beforeAll(async () => {
    const organization = {
      id: 'acme',
      name: 'Acme',
      api_keys: ['sk_test_acme_0123456789'],
      sip: { username: 'acme', password: 'acme-password' },
    };
    gateway = await TestGateway.start({ organizations: [organization] });
  });
  afterAll(() => gateway.stop());
  afterEach(() => peer.close());

  /** The final answer to these bytes. */
  async function answerTo(bytes: Buffer): Promise<string> {
    const [host = '', port] = gateway.sipAddress().split(':');
    peer = await openUdpPeer(host, Number(port));
    peer.send(bytes);
    const final = () => messagesOf(peer).find((message) => message.slice(8, 11) >= '200');
    await expect.poll(final).toBeDefined();
    return final()!;
  }

  test.each([
    ['3.1.1.3', 'esc01', 401],
    ['3.1.1.6', 'lwsdisp', 200],
    ['3.1.1.7', 'longreq', 401],
    ['3.1.1.9', 'semiuri', 200],
    ['3.1.1.10', 'transports', 200],
    ['3.1.1.11', 'mpart01', 405],
    ['3.1.2.12', 'baddate', 401],
    ['3.3.4', 'unksm2', 401],
    ['3.3.5', 'bext01', 420],
    ['3.3.6', 'invut', 415],
    ['3.3.7', 'regaut01', 401],
    ['3.3.11', 'zeromf', 200],
    ['3.4.1', 'inv2543', 401],
  ])('%s %s: %i', async (_section, name, status) => {
    const answer = await answerTo(fixture(name));
    expect(answer.slice(0, 11)).toBe(`SIP/2.0 ${status}`);
    if (status === 401) expect(headerIn(answer, 'WWW-Authenticate')).toMatch(/^Digest /);
    if (status === 405) expect(headerIn(answer, 'Allow')).toContain('INVITE');
    if (status === 415) expect(headerIn(answer, 'Accept')).toContain('application/sdp');
    if (status === 420) {
      expect(headerIn(answer, 'Unsupported')).toBe('nothingSupportsThis, nothingSupportsThisEither');
    }
  });

  test.each([
    ['3.1.1.4', 'escnull', ['<sip:%00@host5.example.com>', '<sip:%00%00@host5.example.com>']],
    ['3.3.12', 'cparam01', ['<sip:+19725552222@gw1.example.net>']],
    ['3.3.13', 'cparam02', ['<sip:+19725552222@gw1.example.net;unknownparam>']],
    ['3.3.14', 'regescrt', ['<sip:user@example.com?Route=%3Csip:sip.example.com%3E>']],
  ])(
    '%s %s, with a password: registered, and the URI of its Contact unchanged',
    async (_, name, contacts) => {
      // Two of them share their branch: each sending gets one of its own.
      const text = (n: number) =>
        fixture(name).toString('latin1').replace('branch=', `branch=z9hG4bK${name}${n}`);
      const refused = await answerTo(Buffer.from(text(1), 'latin1'));
      peer.close();
      const challenge = parseChallenge(headerIn(refused, 'WWW-Authenticate'))!;
      const credentials = { username: 'acme', password: 'acme-password' };
      const response = authorization(challenge, {
        method: 'REGISTER',
        uri: 'sip:example.com',
        ...credentials,
      });
      const signed = text(2).replace(/^CSeq/m, `Authorization: ${response}\r\nCSeq`);
      const ok = await answerTo(Buffer.from(signed, 'latin1'));
      expect(ok.slice(0, 11)).toBe('SIP/2.0 200');
      const bound = headerIn(ok, 'Contact').split(', ');
      expect(bound.map((contact) => contact.replace(/;expires=3600$/, ''))).toEqual(
        expect.arrayContaining(contacts),
      );
    },
  );
});
