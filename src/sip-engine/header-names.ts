/** What the engine knows about header names (RFC 3261 §7.3 and the registry of RFC 3968). */

/** Names whose spelling is not simply capitals after dashes, and all that are lists or have a grammar here. */
const known =
  `Accept Accept-Contact Accept-Encoding Accept-Language Alert-Info Allow Allow-Events Authentication-Info
Authorization Call-ID Call-Info Contact Content-Disposition Content-Encoding Content-Language Content-Length
Content-Type CSeq Date Diversion Error-Info Event Expires From History-Info Identity Identity-Info In-Reply-To Join
Max-Forwards MIME-Version Min-Expires Min-SE Organization P-Asserted-Identity P-Preferred-Identity Path Priority
Privacy Proxy-Authenticate Proxy-Authorization Proxy-Require RAck Reason Record-Route Refer-To Referred-By
Reject-Contact Remote-Party-ID Replaces Reply-To Request-Disposition Require Retry-After Route RSeq Security-Client
Security-Server Security-Verify Server Service-Route Session-Expires Subject Subscription-State Supported
Target-Dialog Timestamp To Unsupported User-Agent Via Warning WWW-Authenticate`.split(/\s+/);

const compactForms = {
  a: 'Accept-Contact',
  b: 'Referred-By',
  c: 'Content-Type',
  d: 'Request-Disposition',
  e: 'Content-Encoding',
  f: 'From',
  i: 'Call-ID',
  j: 'Reject-Contact',
  k: 'Supported',
  l: 'Content-Length',
  m: 'Contact',
  n: 'Identity-Info',
  o: 'Event',
  r: 'Refer-To',
  s: 'Subject',
  t: 'To',
  u: 'Allow-Events',
  v: 'Via',
  x: 'Session-Expires',
  y: 'Identity',
};

const canonical = new Map<string, string>([
  // As they are mostly written, so that one look is enough.
  ...known.map((name) => [name, name] as const),
  ...known.map((name) => [name.toLowerCase(), name] as const),
  ...Object.entries(compactForms),
]);

/** The canonical spelling (`Call-ID` for `i` and `CALL-ID`); undefined for a name that is not known. */
export function knownName(name: string): string | undefined {
  return canonical.get(name) ?? canonical.get(name.toLowerCase());
}

/** The canonical spelling; an unknown name stays as written. */
export const canonicalName = (name: string): string => knownName(name) ?? name;

/** Headers whose value is a comma list, by canonical name; in all others a comma is part of the value. */
export const listHeaders: ReadonlySet<string> = new Set(
  `Accept Accept-Encoding Accept-Language Alert-Info Allow Allow-Events Call-Info Contact Content-Encoding
Content-Language Diversion Error-Info History-Info In-Reply-To P-Asserted-Identity P-Preferred-Identity Path
Proxy-Require Reason Record-Route Require Route Service-Route Supported Unsupported Via Warning`.split(/\s+/),
);

/** Headers that somebody behind the engine reads with a grammar; their values have the smaller cap of limits.ts. */
export const structuredHeaders: ReadonlySet<string> = new Set(
  `Authorization Call-ID Contact Content-Type CSeq Diversion From P-Asserted-Identity P-Preferred-Identity Path
Proxy-Authorization Proxy-Authenticate Record-Route Refer-To Referred-By Remote-Party-ID Route To Via
WWW-Authenticate`.split(/\s+/),
);
