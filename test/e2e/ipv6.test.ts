import { afterAll, beforeAll, expect, test } from 'vitest';
import { encode } from '../support/g711.ts';
import { TestGateway } from '../support/gateway.ts';
import { compareHeard } from '../support/heard.ts';
import type { TestPhone } from '../support/test-phone.ts';
import { readWav, speechFile } from '../support/wav.ts';

/** A gateway that knows no other addresses than IPv6. */
const speech = readWav(speechFile).subarray(0, 8_000);
const organization = {
  ...{ id: 'acme', name: 'Acme', api_keys: ['sk_test_acme_0123456789'] },
  sip: { username: 'acme', password: 'acme-password', allowed_ips: ['::1'] },
};
let gateway: TestGateway;
const phones: TestPhone[] = [];

beforeAll(async () => {
  gateway = await TestGateway.start({
    settings: { sip: { listen: ['udp:[::1]:0', 'tcp:[::1]:0'] }, media: { address: '::1' } },
    organizations: [organization],
  });
});
afterAll(async () => {
  await Promise.all(phones.map((phone) => phone.stop()));
  await gateway.stop();
});

test.each(['udp', 'tcp'] as const)(
  'a call over %s and IPv6 is heard back, held, resumed and ended',
  async (transport) => {
    const phone = await gateway.phone({ host: '::1', transport });
    phones.push(phone);
    const id = await gateway.session();
    const call = await phone.call(gateway.uri(id, { transport }));
    expect(call.status).toBe(200);
    expect(call.answerSdp).toContain('c=IN IP6 ::1');
    const { startedAt } = await call.media.play(speech);
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect(
      compareHeard(encode('PCMU', speech), call.media.heard, { playedAt: startedAt }).speechMatched,
    ).toBe(1);
    expect((await call.reinvite({ direction: 'sendonly' })).status).toBe(200);
    expect((await call.reinvite({ direction: 'sendrecv' })).status).toBe(200);
    const { body } = await gateway.rest('GET', `/v1/sessions/${id}/calls`);
    expect(body.data).toMatchObject([{ status: 'up', source_address: '::1', transport }]);
    await call.bye();
  },
);
