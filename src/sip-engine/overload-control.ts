import { parseNumber } from './scanner.ts';
import type { EngineClock } from './timers.ts';
import { bracketed, type Endpoint } from './transport.ts';
import type { Via } from './via.ts';

/** What a Via of ours says, so that a server may tell us to send less (RFC 7339 §4.1). */
export const OVERLOAD_OFFER = ';oc;oc-algo="loss"';

/** ms for which what we say holds; RFC 7339 §4.3 takes 500 where nothing is said. */
const OUR_VALIDITY_MS = 1_000;
const DEFAULT_VALIDITY_MS = 500;
/** A peer cannot bind us for longer by one answer. */
const MOST_VALIDITY_MS = 60_000;
const MAX_PEERS = 1_000;

/** Answers the offer in the topmost Via of a request, which goes back with every response (RFC 7339 §5.3). */
export function tellLoad(via: Via, lossPercent: number, clock: EngineClock): void {
  if (via.params.get('oc') !== null || !namesLoss(via)) return;
  via.params.set('oc', String(lossPercent));
  via.params.set('oc-algo', '"loss"');
  // With 0 no control is wanted any more.
  via.params.set('oc-validity', lossPercent > 0 ? String(OUR_VALIDITY_MS) : '0');
  via.params.set('oc-seq', (clock.now() / 1000).toFixed(3));
}

const namesLoss = (via: Via): boolean =>
  (via.params.get('oc-algo') ?? '')
    .replaceAll('"', '')
    .split(',')
    .some((name) => name.trim().toLowerCase() === 'loss');

interface PeerLoad {
  lossPercent: number;
  seq: number;
  /** Monotonic ms. */
  until: number;
}

/** How much less our peers want of us (RFC 7339 §5.5, §7): that share of the new calls to them is not sent. */
export class PeerLoads {
  readonly #clock: EngineClock;
  readonly #random: () => number;
  readonly #peers = new Map<string, PeerLoad>();

  constructor(clock: EngineClock, random: () => number = Math.random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** @param via the topmost one, ours, of a response */
  learn(peer: Endpoint, via: Via): void {
    const lossPercent = parseNumber(via.params.get('oc') ?? '', 100);
    if (lossPercent === undefined || !namesLoss(via)) return;
    const seq = Number(/^\d{1,12}(?:\.\d{1,5})?$/.exec(via.params.get('oc-seq') ?? '')?.[0] ?? 0);
    const key = keyOf(peer);
    if (seq < (this.#peers.get(key)?.seq ?? 0)) return;
    this.#peers.delete(key);
    const validity = parseNumber(via.params.get('oc-validity') ?? '', Number.MAX_SAFE_INTEGER);
    const [oldest] = this.#peers.keys();
    if (oldest !== undefined && this.#peers.size >= MAX_PEERS) this.#peers.delete(oldest);
    const ms = Math.min(validity ?? DEFAULT_VALIDITY_MS, MOST_VALIDITY_MS);
    this.#peers.set(key, { lossPercent, seq, until: this.#clock.monotonic() + ms });
  }

  /** Whether this new call is one of those that the peer does not want. */
  sheds(peer: Endpoint): boolean {
    const load = this.#peers.get(keyOf(peer));
    if (load === undefined) return false;
    if (this.#clock.monotonic() < load.until) return this.#random() * 100 < load.lossPercent;
    this.#peers.delete(keyOf(peer));
    return false;
  }
}

const keyOf = ({ address, port }: Endpoint): string => `${bracketed(address)}:${port}`;
