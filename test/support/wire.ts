import { type Direction, type WireMessage, wireMessage } from '../../src/sip-engine/wire-message.ts';
import { RecorderFlow } from './engine-harness.ts';

/** A message of a call, as a trace has it. */
export const onWire = (text: string, direction: Direction = 'in', at = Date.UTC(2026, 0, 1)): WireMessage =>
  wireMessage(
    direction,
    Buffer.from(text),
    new RecorderFlow({ address: '198.51.100.7', port: 5060 }, 'udp'),
    at,
  );
