import { describe, expect, it } from 'vitest';
import { FrameError, FrameReader } from '../../src/drachtio-frames.ts';
import { formatFrame, MAX_FRAME_BYTES, parseFrame, timeOfDay } from '../../src/sip-engine/drachtio-wire.ts';

const texts = (payloads: Buffer[]): string[] => payloads.map((payload) => payload.toString());

describe('parseFrame and formatFrame', () => {
  it('takes the first line apart and leaves the SIP text as bytes', () => {
    const frame = parseFrame(Buffer.from('id|sip||call;from-tag=x\r\nBYE sip:a SIP/2.0\r\n\r\n'));
    expect(frame).toEqual({
      id: 'id',
      type: 'sip',
      tokens: ['', 'call;from-tag=x'],
      sip: Buffer.from('BYE sip:a SIP/2.0\r\n\r\n'),
    });
  });

  it.each(['', 'only', '|ping'])('refuses %j, which has no id and type', (text) => {
    expect(() => parseFrame(Buffer.from(text))).toThrow(FrameError);
  });

  it('writes what the reader reads, with a fresh id', () => {
    const sip = Buffer.from('SIP/2.0 200 ä\r\n\r\n');
    const payloads = new FrameReader(MAX_FRAME_BYTES).feed(
      Buffer.concat([formatFrame(['ping']), formatFrame(['sip', 7, ''], sip)]),
    );
    expect(texts(payloads)[0]).toMatch(/^[0-9a-f-]{36}\|ping$/);
    expect(texts(payloads)[1]).toMatch(/^[0-9a-f-]{36}\|sip\|7\|\r\nSIP\/2.0 200 ä\r\n\r\n$/);
  });
});

describe('timeOfDay', () => {
  it('is UTC with six decimals', () => {
    expect(timeOfDay(Date.UTC(2026, 0, 1, 11, 12, 34, 250))).toBe('11:12:34.250000');
  });
});
