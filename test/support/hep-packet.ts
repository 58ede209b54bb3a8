/** What a Homer server reads out of a HEP3 packet; written from the protocol's description, apart from our encoder. */
export interface HepPacket {
  family: number;
  protocol: number;
  source: string;
  destination: string;
  /** Seconds with their fraction. */
  time: number;
  payloadType: number;
  captureId: number;
  password: string | undefined;
  payload: string;
}

/** @throws Error when lengths do not add up */
export function readHep(bytes: Buffer): HepPacket {
  if (bytes.toString('latin1', 0, 4) !== 'HEP3') throw new Error('no HEP3');
  if (bytes.readUInt16BE(4) !== bytes.length) throw new Error('wrong length of the packet');
  const chunks = new Map<number, Buffer>();
  for (let at = 6; at < bytes.length; at += bytes.readUInt16BE(at + 4)) {
    if (bytes.readUInt16BE(at) !== 0) throw new Error('a chunk of another vendor');
    const end = at + bytes.readUInt16BE(at + 4);
    if (end > bytes.length || end < at + 6) throw new Error('wrong length of a chunk');
    chunks.set(bytes.readUInt16BE(at + 2), bytes.subarray(at + 6, end));
  }
  const value = (type: number): Buffer => {
    const found = chunks.get(type);
    if (found === undefined) throw new Error(`no chunk ${type}`);
    return found;
  };
  const number = (type: number): number => value(type).readUIntBE(0, value(type).length);
  const family = number(1);
  const address = (v4: number, v6: number): string =>
    family === 2 ? value(v4).join('.') : (value(v6).toString('hex').match(/..../g) ?? []).join(':');
  return {
    family,
    protocol: number(2),
    source: `${address(3, 5)} ${number(7)}`,
    destination: `${address(4, 6)} ${number(8)}`,
    time: number(9) + number(10) / 1e6,
    payloadType: number(11),
    captureId: number(12),
    password: chunks.get(14)?.toString(),
    payload: value(15).toString(),
  };
}
