import { describe, expect, test } from 'vitest';
import { Refusal } from '../../src/errors.ts';
import { readDtmf } from '../../src/sip/dtmf-info.ts';

const RELAY = 'application/dtmf-relay';
const PLAIN = 'application/dtmf';

describe('a key press in INFO', () => {
  test.each([
    [RELAY, 'Signal=5\r\nDuration=160\r\n', '5', 160],
    [RELAY, 'Signal= *\r\nDuration= 250', '*', 250],
    [RELAY, 'signal=#\nduration=90\n', '#', 90],
    [RELAY, 'Duration=100\r\nSIGNAL = d\r\n', 'D', 100],
    [RELAY, 'Signal=11\r\nDuration=100\r\n', '#', 100],
    [RELAY, 'Signal=0\r\n', '0', 160],
    [RELAY, 'Signal=1\r\nDuration=\r\n', '1', 160],
    [RELAY, 'Signal=1\r\nDuration=999999\r\n', '1', 60_000],
    [PLAIN, '7', '7', 160],
    [PLAIN, ' *\r\n', '*', 160],
    [PLAIN, '10', '*', 160],
    [PLAIN, '15', 'D', 160],
  ])('%s %j', (type, body, digit, durationMs) => {
    expect(readDtmf(type, body)).toEqual({ digit, durationMs, method: 'info' });
  });

  test.each([
    [RELAY, 'Signal=16\r\nDuration=100'],
    [PLAIN, '16'],
    [PLAIN, '!'],
  ])('%s %j is the hook flash, and no digit', (type, body) => {
    expect(readDtmf(type, body)).toBeUndefined();
  });

  test.each([
    [RELAY, ''],
    [RELAY, '5'],
    [RELAY, 'Signal='],
    [RELAY, 'Signal=12345'],
    [RELAY, 'Signal=x\r\nDuration=100'],
    [RELAY, 'Signal=5\r\nDuration=long'],
    [RELAY, 'Signal=5\r\nDuration=-1'],
    [RELAY, 'Signal=5\r\nDuration=1e3'],
    [RELAY, `Signal=5\r\nDuration=100\r\n${' '.repeat(300)}`],
    [PLAIN, ''],
    [PLAIN, '123456'],
    [PLAIN, '17'],
  ])('%s %j is refused in words that do not hold it', (type, body) => {
    let refusal: unknown;
    try {
      readDtmf(type, body);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(Refusal);
    expect((refusal as Refusal).code).toBe('dtmf_invalid');
    expect((refusal as Refusal).message).not.toContain('12345');
  });
});
