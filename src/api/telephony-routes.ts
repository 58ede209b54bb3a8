import type { FastifyInstance } from 'fastify';
import type { Connections } from '../telephony/connections.ts';
import type { Numbers } from '../telephony/numbers.ts';
import type { OutboundTrunks } from '../telephony/outbound-trunks.ts';
import type { SipSettings } from '../telephony/sip-settings.ts';
import { telephonyConnectionRoutes } from './telephony-connection-routes.ts';
import { telephonyNumberRoutes } from './telephony-number-routes.ts';
import { telephonyOutboundRoutes } from './telephony-outbound-routes.ts';
import { type SipAddress, telephonySipRoutes } from './telephony-sip-routes.ts';

export interface TelephonyRoutes {
  telephony: {
    numbers: Numbers;
    connections: Connections;
    sip: SipSettings;
    sipAddress: SipAddress;
    /** How carriers reach the API: `https://api.example.com`, without a slash at its end. */
    publicUrl: string;
    outbound: OutboundTrunks;
  };
}

/** The telephony settings of an organization: `/v1/telephony/…`. */
export function telephonyRoutes(app: FastifyInstance, { telephony }: TelephonyRoutes): void {
  telephonyNumberRoutes(app, telephony.numbers);
  telephonyConnectionRoutes(app, telephony.connections, telephony.publicUrl);
  telephonySipRoutes(app, telephony.sip, telephony.sipAddress);
  telephonyOutboundRoutes(app, telephony.outbound);
}
