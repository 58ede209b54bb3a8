import type { Destination, OutboundPolicy } from './destination.ts';

/** Who calls, as a client says: a number or a SIP URI, with a name or without. */
export type WantedCaller = string | { number: string; name?: string | undefined };

/**
 * Who a call out comes from: whom the dial names, else whom the organization's settings name, else its account at the
 * trunk. A number is one of the trunk's domain where the call goes there, else of ours.
 * @param domain of this gateway
 */
export function callerOf(
  wanted: WantedCaller | undefined,
  policy: OutboundPolicy,
  { throughTrunk, credentials, host }: Destination,
  domain: string,
): { uri: string; name: string | null } {
  const account = encodeURIComponent(credentials?.username ?? 'kallglot');
  const { number, name } =
    typeof wanted === 'object' ? wanted : { number: wanted ?? policy.callerId ?? account, name: undefined };
  const uri = /^sips?:/.test(number) ? number : `sip:${number}@${throughTrunk ? host : domain}`;
  return { uri, name: name ?? null };
}
