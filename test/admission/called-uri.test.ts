import { describe, expect, test } from 'vitest';
import { parseCalledUri } from '../../src/admission/called-uri.ts';
import { requestedRole } from '../../src/admission/role.ts';
import { own, SESSION } from './facts.ts';

const sessionOf = (text: string) => {
  const target = parseCalledUri(text, own)?.target;
  return target?.kind === 'session' ? target.sessionId : target?.kind;
};

describe('the session id', () => {
  test.each([
    `sip:${SESSION}@sip.kallglot.com`,
    `sips:${SESSION}@sip.kallglot.com`,
    `SIP:${SESSION}@sip.kallglot.com:5060;transport=tcp`,
    `sip:${SESSION.toLowerCase()}@sip.kallglot.com`,
    `sip:${SESSION.toUpperCase()}@sip.kallglot.com`,
    `sip:${SESSION};role=agent@sip.kallglot.com`,
    `sip:${SESSION.replace('sess', '%73ess')}@sip.kallglot.com`,
    `sip:${SESSION}:password@sip.kallglot.com`,
    `sip:${SESSION}@sip.kallglot.com?Subject=x`,
    `sip:${SESSION}@[2001:db8::1]:5060;lr`,
  ])('is found in %s', (text) => {
    expect(sessionOf(text)).toBe(SESSION);
  });

  test.each([
    'sip:hello@sip.kallglot.com',
    `sip:${SESSION}x@sip.kallglot.com`,
    `sip:${SESSION.slice(0, -1)}U@sip.kallglot.com`,
    'sip:sip.kallglot.com',
  ])('is not found in %s', (text) => {
    expect(sessionOf(text)).toBe('other');
  });

  test.each([
    '',
    'tel:+4930123456',
    `http://${SESSION}@sip.kallglot.com`,
    `sip:${SESSION}@`,
    `sip:${SESSION}@a@sip.kallglot.com`,
    `sip:${SESSION} x@sip.kallglot.com`,
    `sip:%zz@sip.kallglot.com`,
    `sip:${'x'.repeat(1100)}@sip.kallglot.com`,
  ])('%s is no SIP URI', (text) => {
    expect(parseCalledUri(text, own)).toBeNull();
  });
});

describe('the domain', () => {
  test.each([
    'sip.kallglot.com',
    'SIP.KALLGLOT.COM',
    'sip.kallglot.com.',
    '198.51.100.1',
    '[2001:0db8::0001]',
    '[::ffff:198.51.100.1]',
  ])('%s is ours', (host) => {
    expect(parseCalledUri(`sip:x@${host}`, own)?.ours).toBe(true);
  });

  test.each([
    'kallglot.com',
    'evil-sip.kallglot.com',
    'sip.kallglot.com.evil.example',
    '198.51.100.2',
    '[2001:db8::2]',
  ])('%s is not ours', (host) => {
    expect(parseCalledUri(`sip:x@${host}`, own)?.ours).toBe(false);
  });
});

describe('the role', () => {
  const roleOf = (text: string, header?: string) =>
    requestedRole(parseCalledUri(text, own)?.role ?? null, header);

  test.each([
    ['a Request-URI parameter', `sip:${SESSION}@sip.kallglot.com;role=agent`],
    [
      'a Request-URI parameter among others, in any case',
      `sip:${SESSION}@sip.kallglot.com;lr;ROLE=Agent;x=y`,
    ],
    [
      'a parameter in the user part, as user-only dialling leaves it',
      `sip:${SESSION};role=agent@sip.kallglot.com`,
    ],
    ['an escaped value', `sip:${SESSION}@sip.kallglot.com;role=%61gent`],
  ])('comes from %s', (_, text) => {
    expect(roleOf(text)).toBe('agent');
  });

  test('comes from the header where the URI names none', () => {
    expect(roleOf(`sip:${SESSION}@sip.kallglot.com`, 'agent')).toBe('agent');
    expect(roleOf(`sip:${SESSION}@sip.kallglot.com`, ' Customer ')).toBe('customer');
  });

  test('of the URI comes before that of the header, and the parameter in its own place before that in the user part', () => {
    expect(roleOf(`sip:${SESSION}@sip.kallglot.com;role=customer`, 'agent')).toBe('customer');
    expect(roleOf(`sip:${SESSION};role=agent@sip.kallglot.com;role=customer`)).toBe('customer');
  });

  test('is open where nobody names one', () => {
    expect(roleOf(`sip:${SESSION}@sip.kallglot.com`)).toBeNull();
  });

  test.each(['role=boss', 'role=', 'role', 'role=agent2', 'role=%zz'])('%s is no role', (parameter) => {
    expect(roleOf(`sip:${SESSION}@sip.kallglot.com;${parameter}`)).toBe('invalid');
  });

  test('a header may be no role as well', () => {
    expect(roleOf(`sip:${SESSION}@sip.kallglot.com`, 'boss')).toBe('invalid');
    expect(roleOf(`sip:${SESSION}@sip.kallglot.com`, '')).toBe('invalid');
  });
});

test('a semicolon may be escaped: what follows it are parameters all the same', () => {
  const uri = parseCalledUri(`sip:${SESSION}%3Brole=agent@sip.kallglot.com`, { domains: [], addresses: [] });
  expect([uri?.target, uri?.role]).toEqual([{ kind: 'session', sessionId: SESSION }, 'agent']);
});
