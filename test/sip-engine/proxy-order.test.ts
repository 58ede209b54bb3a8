import { describe, expect, it } from 'vitest';
import { parseProxyOrder } from '../../src/sip-engine/proxy-order.ts';

const order = (text: string) => parseProxyOrder(text.split('|'));
const timed = (provisional: string, final = '') =>
  order(`id||fullResponse||serial|${provisional}|${final}|sip:a.example`);

describe('the tokens of proxy', () => {
  it('say what is to be done', () => {
    const all =
      'id|remainInDialog|fullResponse|followRedirects|simultaneous|2s|1500ms|sip:a.example|sips:b.example:5071';
    expect(order(all)).toEqual({
      ...{ transactionId: 'id', remainInDialog: true, fullResponse: true, followRedirects: true },
      ...{ simultaneous: true, provisionalMs: 2_000, finalMs: 1_500 },
      destinations: ['sip:a.example', 'sips:b.example:5071'],
    });
    expect(order('id||||serial|||sip:a.example')).toEqual({
      ...{ transactionId: 'id', remainInDialog: false, fullResponse: false, followRedirects: false },
      ...{ simultaneous: false, provisionalMs: undefined, finalMs: undefined },
      destinations: ['sip:a.example'],
    });
  });

  it('have a sips URI as drachtio-srf spoils it', () => {
    expect(order('id||||serial|||sip:sips:b.example:5071')).toMatchObject({
      destinations: ['sips:b.example:5071'],
    });
  });

  it.each([
    ['', 'not enough information provided'],
    ['id', 'not enough information provided'],
    ['id||||serial|||', 'not enough information provided'],
    ['|||||||sip:a.example', 'not enough information provided'],
    [`id||||serial||${'|sip:a.example'.repeat(17)}`, '17 destinations, 16 are allowed'],
    ['id||||serial|||tel:+4930', 'not a destination: tel:+4930'],
    ['id||||serial|||sip:', 'not a destination: sip:'],
    ['id||||serial|||sip:a.example?Subject=x', 'not a destination: sip:a.example?Subject=x'],
    [`id||||serial|||sip:${'a'.repeat(2_000)}`, expect.stringMatching(/^not a destination: sip:a{1020}$/)],
  ])('%j are refused', (text, why) => {
    expect(order(text)).toEqual(why);
  });

  it.each(['2', '2 s', 's', '-1s', '1.5s', '601s', '600001ms', '9999999999s', '2000000000ms', '٢s'])(
    'a timeout of %j is refused',
    (text) => {
      const why = expect.stringMatching(/^not a timeout such as 2s or 1500ms, up to 600s: /);
      expect(timed(text)).toEqual(why);
      expect(timed('', text)).toEqual(why);
    },
  );

  it('a timeout of nothing is none', () => {
    expect(timed('0s', '0ms')).toMatchObject({ provisionalMs: undefined, finalMs: undefined });
    expect(timed('600s', '1ms')).toMatchObject({ provisionalMs: 600_000, finalMs: 1 });
  });
});
