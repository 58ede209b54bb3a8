import { EventEmitter } from 'node:events';
import { WebSocket } from 'ws';
import { StreamConnection } from '../../src/streams/stream-connection.ts';

/** A WebSocket that goes nowhere: it keeps what was sent, and holds back as much as a test says. */
export class FakeSocket extends EventEmitter {
  readyState: number = WebSocket.OPEN;
  bufferedAmount = 0;
  pings = 0;
  pongs = 0;
  readonly sent: string[] = [];
  closedWith: [number, string] | undefined;
  terminated = false;

  send(data: Buffer): void {
    this.sent.push(data.toString());
  }

  ping(): void {
    this.pings++;
  }

  pong(): void {
    this.pongs++;
  }

  close(code: number, reason: string): void {
    this.closedWith ??= [code, reason];
  }

  terminate(): void {
    this.terminated = true;
    this.readyState = WebSocket.CLOSED;
    this.emit('close', 1006, Buffer.alloc(0));
  }

  /** What was sent, by its `type` or `event`. */
  get told(): Record<string, unknown>[] {
    return this.sent.map((text) => JSON.parse(text) as Record<string, unknown>);
  }

  connection(): StreamConnection {
    return new StreamConnection(this as unknown as WebSocket);
  }
}
