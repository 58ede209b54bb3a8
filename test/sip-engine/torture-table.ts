import type { Verdict } from './verdict.ts';

/**
 * What comes of a message at a running engine: it reaches the application; it is a well-formed response to nothing that we
 * sent (`stray`), or none at all (`unreadable`), and both are dropped; more of it is waited for (`incomplete`); or the
 * engine answers with a status.
 */
export type Outcome = 'application' | 'stray' | 'unreadable' | 'incomplete' | number;

export interface TortureRow {
  section: string;
  /** Of the fixture. */
  name: string;
  /** What the RFC asks of a user agent or registrar, in short. */
  asks: string;
  outcome: Outcome;
  /** Where a stream makes a difference. */
  overTcp: Outcome;
}

const row = (
  section: string,
  name: string,
  asks: string,
  outcome: Outcome,
  overTcp: Outcome = outcome,
): TortureRow => ({ section, name, asks, outcome, overTcp });

/** RFC 4475: all 49. */
export const rfc4475: readonly TortureRow[] = [
  row('3.1.1.1', 'wsinv', 'well-formed; its To tag names a dialog that is not there', 481),
  row('3.1.1.2', 'intmeth', 'well-formed; an unknown method', 501),
  row('3.1.1.3', 'esc01', 'well-formed', 'application'),
  row('3.1.1.4', 'escnull', 'well-formed', 'application'),
  row('3.1.1.5', 'esc02', 'well-formed; RE%47IST%45R is a method that nobody implements', 501),
  row('3.1.1.6', 'lwsdisp', 'accepted', 'application'),
  row('3.1.1.7', 'longreq', 'well-formed', 'application'),
  row('3.1.1.8', 'dblreq', 'the octets behind the first request are noise over UDP', 'application'),
  row('3.1.1.9', 'semiuri', 'well-formed', 'application'),
  row('3.1.1.10', 'transports', 'well-formed', 'application'),
  row('3.1.1.11', 'mpart01', 'well-formed', 'application'),
  row('3.1.1.12', 'unreason', 'well-formed', 'stray'),
  row('3.1.1.13', 'noreason', 'well-formed', 'stray'),
  row('3.1.2.1', 'badinv01', '400', 400),
  row('3.1.2.2', 'clerr', '400 over UDP; a stream has to wait for the rest', 400, 'incomplete'),
  row('3.1.2.3', 'ncl', 'an error', 400),
  row('3.1.2.4', 'scalar02', '400', 400),
  row('3.1.2.5', 'scalarlg', 'discarded', 'unreadable'),
  row('3.1.2.6', 'quotbal', '400', 400),
  row('3.1.2.7', 'ltgtruri', '400 is always reasonable', 400),
  row('3.1.2.8', 'lwsruri', '400', 400),
  row('3.1.2.9', 'lwsstart', 'may be rejected as malformed', 400),
  row('3.1.2.10', 'trws', 'may be rejected as malformed', 400),
  row('3.1.2.11', 'escruri', '400 is acceptable', 400),
  row('3.1.2.12', 'baddate', 'an element that does not use Date should not reject it', 'application'),
  row('3.1.2.13', 'regbadct', '400 is reasonable', 400),
  row('3.1.2.14', 'badaspec', '400 is reasonable', 400),
  row('3.1.2.15', 'baddn', '400 is always reasonable', 400),
  row('3.1.2.16', 'badvers', '505', 505),
  row('3.1.2.17', 'mismatch01', '400', 400),
  row('3.1.2.18', 'mismatch02', '501, or 400', 501),
  row('3.1.2.19', 'bigcode', 'dropped', 'unreadable'),
  row('3.2.1', 'badbranch', '400, or matched by the rules of RFC 2543', 'application'),
  row('3.3.1', 'insuf', '400', 400),
  row('3.3.2', 'unkscm', '416', 416),
  row('3.3.3', 'novelsc', '416', 416),
  row('3.3.4', 'unksm2', 'well-formed', 'application'),
  row('3.3.5', 'bext01', "420, which is the application's", 'application'),
  row('3.3.6', 'invut', "415, which is the application's", 'application'),
  row('3.3.7', 'regaut01', "401 with a scheme that is understood, which is the application's", 'application'),
  row('3.3.8', 'multi01', '400', 400),
  row('3.3.9', 'mcl01', 'an error; a stream is lost with it', 400),
  row('3.3.10', 'bcast', 'discarded by an endpoint', 'stray'),
  row('3.3.11', 'zeromf', 'an endpoint takes it as if the value were positive', 'application'),
  row('3.3.12', 'cparam01', 'accepted', 'application'),
  row('3.3.13', 'cparam02', 'accepted', 'application'),
  row('3.3.14', 'regescrt', 'accepted', 'application'),
  row('3.3.15', 'sdp01', "406 or 400, which are the application's", 'application'),
  row('3.4.1', 'inv2543', 'accepted; but a stream must have a Content-Length', 'application', 400),
];

/** RFC 5118 §4: all twelve. The two BYEs name dialogs that are not there. */
export const rfc5118: readonly TortureRow[] = [
  row('4.1', 'v6-good', 'well-formed', 'application'),
  row('4.2', 'v6-bad', '400', 400),
  row('4.3', 'v6-port-ambiguous', 'well-formed', 'application'),
  row('4.4', 'v6-port', 'well-formed', 'application'),
  row('4.5', 'v6-received-brackets', 'parsed, and the request processed', 481),
  row('4.5', 'v6-received', 'well-formed', 'application'),
  row('4.6', 'v6-sdp', 'well-formed', 'application'),
  row('4.7', 'v6-vias', 'well-formed', 481),
  row('4.8', 'v6-mixed-sdp', 'well-formed', 'application'),
  row('4.9', 'v6-mapped', 'well-formed', 'application'),
  row('4.10', 'v6-three-colons', 'should be parsed', 'application'),
  row('4.10', 'v6-two-colons', 'well-formed', 'application'),
];

/** What the parser and the checks behind it make of a message that comes to this. */
export function verdictFor(outcome: Outcome): Verdict {
  if (outcome === 'application' || outcome === 'stray' || outcome === 481) return 'handled';
  return typeof outcome === 'number' ? outcome : 'dropped';
}
