import { describe, expect, test } from 'vitest';
import { type ApiError, apiErrors } from '../../src/errors.ts';
import { type RoutingRequest, type RoutingSettings, resolveRoute } from '../../src/sessions/routing.ts';

const full: RoutingSettings = {
  sipEnabled: true,
  numbers: [
    { phoneNumber: '+14155550100', active: true, provider: 'telnyx' },
    { phoneNumber: '+14155550101', active: false, provider: 'twilio' },
  ],
  connections: [
    { id: 'pcon_twilio', active: true, isDefault: true, provider: 'twilio' },
    { id: 'pcon_telnyx', active: true, isDefault: false, provider: 'telnyx' },
    { id: 'pcon_off', active: false, isDefault: false, provider: 'twilio' },
  ],
};
const empty: RoutingSettings = { sipEnabled: false, numbers: [], connections: [] };

function outcome(request: RoutingRequest | undefined, settings: RoutingSettings): string {
  try {
    return resolveRoute(request, settings).provider;
  } catch (error) {
    return (error as ApiError).code;
  }
}

describe('the route of a session', () => {
  test.each([
    // connection_id, type, phone_number: with everything set up, and with nothing
    ['pcon_telnyx', 'sip', '+14155550100', 'telnyx', 'connection_not_found'],
    ['pcon_telnyx', 'sip', undefined, 'telnyx', 'connection_not_found'],
    ['pcon_telnyx', undefined, '+14155550100', 'telnyx', 'connection_not_found'],
    ['pcon_telnyx', undefined, undefined, 'telnyx', 'connection_not_found'],
    ['pcon_off', 'sip', '+14155550100', 'connection_not_found', 'connection_not_found'],
    [undefined, 'sip', '+14155550100', 'sip', 'sip_not_enabled'],
    [undefined, 'sip', undefined, 'sip', 'sip_not_enabled'],
    [undefined, 'webrtc', '+14155550100', 'webrtc', 'webrtc'],
    [undefined, undefined, '+14155550100', 'telnyx', 'phone_number_not_found'],
    [undefined, undefined, '+14155550101', 'phone_number_not_found', 'phone_number_not_found'],
    [undefined, undefined, '+14155559999', 'phone_number_not_found', 'phone_number_not_found'],
    [undefined, undefined, undefined, 'twilio', 'no_default_provider'],
  ] as const)(
    'connection %s, type %s, number %s: %s, or %s without telephony',
    (connection_id, type, phone_number, set, unset) => {
      const request = { connection_id, type, phone_number };
      expect(outcome(request, full)).toBe(set);
      expect(outcome(request, empty)).toBe(unset);
    },
  );

  test('omitted, it is the default connection, unless that is inactive', () => {
    expect(outcome(undefined, full)).toBe('twilio');
    const connections = full.connections.map((connection) => ({ ...connection, active: false }));
    expect(outcome(undefined, { ...full, connections })).toBe('no_default_provider');
  });

  test.each([
    [{ connection_id: 'x' }, 'routing.connection_id'],
    [{ type: 'sip' as const }, 'routing.type'],
    [{ phone_number: '+1' }, 'routing.phone_number'],
    [{}, 'routing'],
  ])('an error about %o names the field %s', (request, param) => {
    expect(() => resolveRoute(request, empty)).toThrow(expect.objectContaining({ param }));
  });

  test.each([
    'no_default_provider',
    'sip_not_enabled',
    'phone_number_not_found',
    'connection_not_found',
  ] as const)('%s is an invalid request, and its message says what to do about it', (code) => {
    const { type, message } = apiErrors[code];
    expect(type).toBe('invalid_request_error');
    expect(message).toMatch(/\. (Add|Buy|Enable) .*, or use /);
  });
});
