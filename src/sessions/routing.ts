import { ApiError } from '../errors.ts';
import type { Carrier, Provider } from '../providers.ts';

/** What a request may say about its route (contract §5.2). */
export interface RoutingRequest {
  phone_number?: string | undefined;
  connection_id?: string | undefined;
  type?: 'sip' | 'webrtc' | undefined;
}

/** An organization's telephony settings, as far as routing asks for them. */
export interface RoutingSettings {
  sipEnabled: boolean;
  numbers: readonly { phoneNumber: string; active: boolean; provider: Carrier }[];
  connections: readonly { id: string; active: boolean; isDefault: boolean; provider: Carrier }[];
}

export interface Route {
  provider: Provider;
  phoneNumber?: string;
  connectionId?: string;
}

/**
 * Resolves the route of a new session: the connection named, else SIP (or no telephony) when its type says so, else the
 * organization's own number, else its default connection (contract §3, decisions §7).
 * @throws ApiError `connection_not_found`, `sip_not_enabled`, `phone_number_not_found`, `no_default_provider`
 */
export function resolveRoute(request: RoutingRequest | undefined, settings: RoutingSettings): Route {
  if (request?.connection_id !== undefined) return namedConnection(request.connection_id, settings);
  if (request?.type === 'sip') {
    if (!settings.sipEnabled) throw new ApiError('sip_not_enabled', { param: 'routing.type' });
    return { provider: 'sip' };
  }
  if (request?.type === 'webrtc') return { provider: 'webrtc' };
  if (request?.phone_number !== undefined) return ownNumber(request.phone_number, settings);
  const standard = settings.connections.find((connection) => connection.isDefault && connection.active);
  if (standard === undefined) throw new ApiError('no_default_provider', { param: 'routing' });
  return { provider: standard.provider, connectionId: standard.id };
}

function namedConnection(id: string, { connections }: RoutingSettings): Route {
  const connection = connections.find((candidate) => candidate.id === id && candidate.active);
  if (connection === undefined)
    throw new ApiError('connection_not_found', { param: 'routing.connection_id' });
  return { provider: connection.provider, connectionId: connection.id };
}

function ownNumber(phoneNumber: string, { numbers }: RoutingSettings): Route {
  const number = numbers.find((candidate) => candidate.phoneNumber === phoneNumber && candidate.active);
  if (number === undefined) throw new ApiError('phone_number_not_found', { param: 'routing.phone_number' });
  return { provider: number.provider, phoneNumber };
}
