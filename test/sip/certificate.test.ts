import { describe, expect, test } from 'vitest';
import { extensionHeaders } from '../../src/sip/header-values.ts';
import { openAdmission, requestTo } from '../support/admission.ts';

const certificate = `sha256=${'ab'.repeat(32)};names="pbx.acme.example"`;

/** What an INVITE with the engine's word for that certificate is told; its session does not exist. */
async function answerTo(engine: 'embedded' | 'drachtio') {
  const headers = { 'X-Kallglot-Peer-Certificate': certificate };
  const invite = requestTo('sip:sess_01ARZ3NDEKTSV4RRFFQ69G5FAV@192.0.2.1', { headers });
  const told = await openAdmission({ sip: { engine } }).admitInvite(invite);
  return 'refusal' in told ? told.refusal.code : 'admitted';
}

describe("the header with the caller's certificate", () => {
  test('identifies when the embedded engine has set it', async () => {
    expect(await answerTo('embedded')).toBe('session_not_found');
  });

  test('is worth nothing from a drachtio-server, which passes on what callers write', async () => {
    expect(await answerTo('drachtio')).toBe('credentials_required');
  });

  test('is none of the headers that a caller has sent', () => {
    const headers = {
      'X-Own': 'yes',
      'X-Kallglot-Peer-Certificate': '1',
      'x-kallglot-peer-certificate': '2',
    };
    expect(extensionHeaders(headers)).toEqual({ 'X-Own': 'yes' });
  });
});
