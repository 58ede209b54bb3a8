import { describe, expect, test } from 'vitest';
import { pbxConfigurations } from '../../src/telephony/pbx-configuration.ts';

const trunk = {
  username: 'kg-1',
  domain: 'sip.example.com',
  realm: 'Example; <PBX> & Co',
  transport: 'udp' as const,
  gateway: '203.0.113.7:5070',
  srtp: 'off' as const,
};
const textOf = (pbx: string, values = trunk as Parameters<typeof pbxConfigurations>[0]) =>
  pbxConfigurations(values).find((one) => one.pbx === pbx)?.text ?? '';

describe('PBX configurations', () => {
  test.each(['freeswitch', 'asterisk', 'kamailio'])('for %s hold the values of the organization', (pbx) => {
    for (const value of ['kg-1', 'sip.example.com', '203.0.113.7:5070', 'PASSWORD'])
      expect(textOf(pbx)).toContain(value);
  });

  test('escape what a format would read otherwise', () => {
    expect(textOf('freeswitch')).toContain('value="Example; &lt;PBX&gt; &amp; Co"');
    expect(textOf('asterisk')).toContain('realm=Example\\; <PBX> & Co');
    expect(textOf('kamailio')).toContain('"Example; <PBX> & Co"');
  });

  test.each(['freeswitch', 'asterisk', 'kamailio'])('for %s over TLS say so, and over UDP do not', (pbx) => {
    const tls = textOf(pbx, { ...trunk, transport: 'tls', gateway: 'sip.example.com:5061' });
    expect(tls).toContain('sip.example.com:5061');
    expect(tls).toContain('transport=tls');
    expect(textOf(pbx)).not.toMatch(/tls/i);
  });

  test('for Asterisk over TLS escape the semicolon of the transport', () => {
    const text = textOf('asterisk', { ...trunk, transport: 'tls' });
    expect(text).toContain('contact=sip:203.0.113.7:5070\\;transport=tls');
    expect(text).not.toMatch(/[^\\];transport=tls/);
  });

  test.each([
    ['203.0.113.7:5070', '203.0.113.7'],
    ['[2001:db8::7]:5060', '2001:db8::7'],
  ])('for Asterisk let calls from %s in by the address', (gateway, address) => {
    const identify = `type=identify\nendpoint=kallglot\nmatch=${address}\n`;
    expect(textOf('asterisk', { ...trunk, gateway })).toContain(identify);
  });

  test('ask for SRTP as the trunk does', () => {
    const [optional, required] = (['optional', 'required'] as const).map((srtp) => ({ ...trunk, srtp }));
    expect(textOf('freeswitch')).not.toContain('rtp_secure_media');
    expect(textOf('freeswitch', optional)).toContain('value="optional:AES_CM_128_HMAC_SHA1_80"');
    expect(textOf('freeswitch', required)).toContain('value="mandatory:AES_CM_128_HMAC_SHA1_80"');
    expect(textOf('asterisk')).not.toContain('media_encryption');
    for (const values of [optional, required])
      expect(textOf('asterisk', values)).toContain('media_encryption=sdes');
  });

  test('name no credentials where the trunk has none', () => {
    const bare = { ...trunk, username: null };
    for (const pbx of ['freeswitch', 'asterisk', 'kamailio'])
      expect(textOf(pbx, bare)).not.toMatch(/PASSWORD|null/);
  });
});
