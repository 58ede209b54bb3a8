/**
 * The bytes of a base64 text, written into `into` from its beginning.
 * @returns a view of them; undefined when the text is not base64, or `into` does not hold them
 */
export function decodeBase64(text: string, into: Buffer): Buffer | undefined {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const digits = text.length - padding;
  const length = Math.floor((digits * 3) / 4);
  if (digits % 4 === 1 || length > into.length) return undefined;
  // Node skips what is not of the alphabet; fewer bytes come out then.
  return into.write(text, 0, 'base64') === length ? into.subarray(0, length) : undefined;
}
