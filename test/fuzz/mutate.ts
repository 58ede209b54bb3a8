import { pick, type Random } from './random.ts';

/**
 * Changes one to three places of `source`: some bytes go, and nothing, a random byte, a piece that parsers trip over, or a
 * bit of another source takes their place.
 */
export function mutateBytes(
  source: Buffer,
  pieces: readonly Buffer[],
  sources: readonly Buffer[],
  random: Random,
): Buffer {
  let bytes = source;
  for (let edits = 1 + random(3); edits > 0; edits--) {
    const at = random(bytes.length + 1);
    const end = Math.min(bytes.length, at + random(random(8) === 0 ? 60 : 4));
    bytes = Buffer.concat([bytes.subarray(0, at), insert(pieces, sources, random), bytes.subarray(end)]);
  }
  return bytes;
}

function insert(pieces: readonly Buffer[], sources: readonly Buffer[], random: Random): Buffer {
  const kind = random(4);
  if (kind === 0) return Buffer.alloc(0);
  if (kind === 1) return Buffer.from([random(256)]);
  if (kind === 2) return pick(pieces, random);
  const other = pick(sources, random);
  const from = random(other.length);
  return other.subarray(from, from + random(40));
}

const bytesOf = (texts: readonly string[]): Buffer[] => texts.map((text) => Buffer.from(text, 'latin1'));

/** What SIP parsers trip over. */
export const sipPieces = bytesOf([
  ...`; , " \\ < > <sip:a@b> : @ = % %4 %41 %00 %u0041 [ ] [::1] ::: | SIP/2.0 sip/2.0/udp SIP/2.0/UDP * tel:+1
2147483648 -1 0 ;tag= ;; ,, "" ? # __proto__ constructor Via: v: l: Contact: m: C%6Fntact: To: %54o: ;received=[::1]
sips: urn:x z9hG4bK ;branch=z9hG4bK ;rport ;lr ;maddr=224.0.0.1 Digest`.split(/\s+/),
  ...['\r\n', '\r', '\n', ' ', '\t', '      ', '\r\n ', '\r\n\t', '\r\n\r\n', '\0', '\x7f', '\xa0', '\xff'],
  '\xe2\x80\xa8',
]);

/** What readers of SDP trip over. */
export const sdpPieces = bytesOf([
  ...`m=audio m=video m=audio\x2070000 a=rtpmap: a=fmtp: a=crypto: c=IN\x20IP4 c=IN\x20IP6 ::1 0.0.0.0 / // 65536 -1 1e9 NaN
0x10 telephone-event/8000 opus/48000/2 a=sendonly a=inactive a=rtcp: a=rtcp-mux a=maxptime:0 b=AS: inline: | AES_CM_128_HMAC_SHA1_80
__proto__ constructor = : ; * a=candidate: a=fingerprint: a=group: a=ssrc: a=extmap: RTP/SAVP RTP/AVPF`
    .split(/[ \n]/)
    .filter((piece) => piece !== ''),
  ...['\r\n', '\r', '\n', ' ', '\t', '\0', '\xff', '\r\n\r\n'],
]);

/** What readers of digest credentials trip over. */
export const digestPieces = bytesOf([
  ...`Digest digest Basic , ,, = == " "" \\ \\" realm= realm="" nonce= uri= response= algorithm=MD5 algorithm=SHA-256 qop=auth
qop="auth,auth-int" nc=00000001 nc=ffffffff cnonce= username* userhash=true __proto__= constructor=`.split(
    /\s+/,
  ),
  ...[' ', '\t', '\0', '\xff', ' , ', '          '],
]);

/** What readers of forms trip over. */
export const formPieces = bytesOf([
  ...`& = && == % %4 %41 %00 %C3%B6 %FF %u0041 + ; CallSid= &CallSid=CA1 &AccountSid= &Direction=outbound-api __proto__= &__proto__=1
constructor= [] []=1 {} # ?`.split(/\s+/),
  ...['\r\n', ' ', '\0', '\xff', '\xc3\xb6', '%'.repeat(60)],
]);

/** What readers of JSON messages trip over. */
export const jsonPieces = bytesOf([
  ...`{ } [ ] : , " \\" \\u0000 \\ud800 null true false -1 1e999 1e-9 9007199254740993 0.5 NaN "" {} [] "__proto__": "constructor": "type":
"event": "media": "start": "payload": "sequence":`.split(/\s+/),
  ...['\0', '\xff', '\xe2\x80\xa8', '='],
]);
