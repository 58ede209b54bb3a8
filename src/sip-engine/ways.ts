import type { EngineContext } from './context.ts';
import type { Dialog } from './dialog.ts';
import type { Way } from './hop-walk.ts';
import { header, type SipRequest } from './message.ts';
import type { ResolveTarget } from './resolve.ts';
import { isSips } from './sips.ts';
import type { Flow, Hop } from './transport.ts';
import { parseUri } from './uri.ts';
import { uriOf } from './write-request.ts';

/** Ways to a target, best first: at once for a numeric one, later for a name. */
export type Ways = readonly Way[] | Promise<readonly Way[]>;

/** @returns undefined for what names no host, such as a `tel` URI */
export function targetOf(text: string): ResolveTarget | undefined {
  const uri = parseUri(uriOf(text));
  if (uri === undefined || (uri.scheme !== 'sip' && uri.scheme !== 'sips')) return undefined;
  const transport = uri.params.get('transport')?.toLowerCase() ?? undefined;
  const host = uri.params.get('maddr') ?? uri.host;
  return { scheme: uri.scheme, host, port: uri.port, transport };
}

/**
 * Where a new request goes: as its URI says, or to an outbound proxy, which for a `sips` URI is TLS as well (RFC 3261
 * §26.2.2). drachtio-srf sends a request once more, with credentials, to the address that has asked for them: over TLS
 * that still has to prove that it is whom the URI names.
 */
export function nextHopOf(said: SipRequest, proxy: string): ResolveTarget | undefined {
  const called = targetOf(said.uri);
  if (proxy === '') return called;
  const target = targetOf(proxy);
  if (target === undefined) return undefined;
  const asked = header(said, 'Authorization') ?? header(said, 'Proxy-Authorization');
  const name = asked === undefined ? undefined : called?.host;
  return { ...target, scheme: isSips(said.uri) ? 'sips' : target.scheme, name };
}

/** @throws ResolveError, or rejects with it, when the target cannot be found or no transport of ours reaches it */
export function waysTo({ resolver, flowTo }: EngineContext, target: ResolveTarget, near?: Flow): Ways {
  const asWays = (hops: readonly Hop[]): readonly Way[] =>
    hops.map((hop) => ({ hop, open: () => flowTo(hop, near), failed: () => resolver.failed(hop) }));
  const hops = resolver.resolve(target);
  return hops instanceof Promise ? hops.then(asWays) : asWays(hops);
}

/** What a dialog knows of the way to one of its sides. */
export type PeerOfDialog = Pick<Dialog, 'flow' | 'symmetric' | 'routes' | 'remoteTarget'> & {
  /** Its requests go over TLS, whatever the Contact of the peer says. */
  sips?: boolean;
};

/**
 * Where a request in a dialog goes (decisions §3): over TCP and TLS the connection of the peer while it is open; else the
 * first route; without routes, over UDP, where the peer's requests come from, which leads through a NAT; to its Contact
 * if it sends from a port that it does not listen on. What cannot be resolved goes by the flow that was good before.
 */
export function waysInDialog(
  context: EngineContext,
  { flow, routes, symmetric, remoteTarget, sips = false }: PeerOfDialog,
): Ways {
  const known = [{ open: () => flow, failed: () => {} }];
  if (flow.reliable && flow.open) return known;
  const first = routes[0];
  if (first === undefined && !flow.reliable && symmetric) return known;
  const target = targetOf(first ?? remoteTarget);
  if (target === undefined) return known;
  try {
    const scheme = sips ? 'sips' : target.scheme;
    const transport = target.transport ?? flow.transport;
    const ways = waysTo(context, { ...target, scheme, transport }, flow);
    return ways instanceof Promise ? ways.catch(() => known) : ways;
  } catch {
    return known;
  }
}
