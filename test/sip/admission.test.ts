import { describe, expect, test } from 'vitest';
import type { Session } from '../../src/sessions/session.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { acmeTrunk, openAdmission, requestTo } from '../support/admission.ts';

const id = 'sess_01ARZ3NDEKTSV4RRFFQ69G5FAV';
const listed = { ...acmeTrunk, allowedIps: ['203.0.113.66'] };
const session = { id, organizationId: 'acme', provider: 'sip', status: 'created' } as unknown as Session;
const findSession = async () => session;

describe('the host that is called', () => {
  const codeAt = async (host: string, hostports: string[], sip = {}) => {
    const admission = openAdmission({ sip, trunk: listed, findSession, hostports: () => hostports });
    const told = await admission.admitInvite(requestTo(`sip:${id}@${host}`));
    return 'refusal' in told ? told.refusal.code : 'admitted';
  };

  test.each([
    ['sip.kallglot.com', 'admitted'],
    ['SIP.Kallglot.com:5080', 'admitted'],
    ['192.0.2.1', 'admitted'],
    ['198.51.100.1', 'admitted'],
    ['[2001:db8:0::1]', 'admitted'],
    ['192.0.2.2', 'not_a_session'],
    ['example.com', 'not_a_session'],
  ])('%s: %s', async (host, code) => {
    const hostports = ['udp/192.0.2.1:5060', 'tls/[2001:db8::1]:5061'];
    expect(await codeAt(host, hostports, { advertised_address: '198.51.100.1' })).toBe(code);
  });

  test('is any of this machine where all are listened on', async () => {
    expect(await codeAt('127.0.0.1', ['udp/0.0.0.0:5060'])).toBe('admitted');
    expect(await codeAt('127.0.0.1', ['udp/192.0.2.1:5060'])).toBe('not_a_session');
  });
});

test('wrong credentials from an allowed address are told in the log, and change nothing', async () => {
  const told: unknown[][] = [];
  const log = Object.assign(createLog('silent'), { info: (...line: unknown[]) => void told.push(line) });
  const admission = openAdmission({ trunk: listed, findSession, log });
  const uri = `sip:${id}@sip.kallglot.com`;
  const asked = admission.admitRegister(requestTo('sip:sip.kallglot.com', { method: 'REGISTER' }));
  const challenge = 'headers' in asked ? asked.headers['WWW-Authenticate'] : undefined;
  const nonce = /nonce="([^"]+)"/.exec(challenge ?? '')?.[1];
  const answer = `username="acme", realm="sip.kallglot.com", nonce="${nonce}", uri="${uri}", response="0", qop=auth`;
  const headers = { Authorization: `Digest ${answer}, nc=00000001, cnonce="c"`, 'Call-ID': 'call-1' };
  expect(await admission.admitInvite(requestTo(uri, { headers }))).toMatchObject({ session });
  expect(told).toEqual([
    [
      { source: '203.0.113.66', session: id, call_id: 'call-1', detail: 'wrong username or password' },
      expect.stringContaining('wrong credentials'),
    ],
  ]);
});
