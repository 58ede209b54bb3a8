import { write, writeSync } from 'node:fs';
import type { DestinationStream } from 'pino';

/** So many characters wait for a reader that does not keep up; lines beyond them are dropped. */
const WAITING_MOST = 4 * 1024 * 1024;
const AGAIN_MS = 20;
const NEWLINE = 0x0a;
const LOST = 'lines of the log were lost';

/**
 * Where the log goes. Nobody waits for it: a reader that is slow or stands still, and a disk that is full, cost lines of the log
 * and nothing else. How many is told in a line of its own as soon as one can be written again.
 */
export class LogOutput implements DestinationStream {
  readonly #fd: number;
  readonly #waitingMost: number;
  #lines: string[] = [];
  #size = 0;
  #lost = 0;
  /** What was written last is a part of a line. */
  #cut = false;
  /** Lines are on their way, or wait for the next attempt. */
  #busy = false;

  /** @param fd an open file, pipe or socket: 1 is standard output */
  constructor(fd: number, waitingMost = WAITING_MOST) {
    this.#fd = fd;
    this.#waitingMost = waitingMost;
  }

  /** @param line with its newline */
  write(line: string): void {
    if (this.#size + line.length > this.#waitingMost) {
      this.#lost++;
      return;
    }
    this.#lines.push(line);
    this.#size += line.length;
    if (!this.#busy) this.#send(this.#take());
  }

  /** Writes what still waits, for a process that is about to end; what does not go out at once is lost. */
  flushSync(): void {
    let bytes = this.#take();
    try {
      while (bytes.length > 0) bytes = bytes.subarray(writeSync(this.#fd, bytes));
    } catch {
      this.#failed(bytes);
    }
  }

  #take(): Buffer {
    const text = this.#lines.join('');
    this.#lines = [];
    this.#size = 0;
    return Buffer.from(this.#cut && text !== '' ? `\n${text}` : text);
  }

  #send(bytes: Buffer): void {
    this.#busy = true;
    write(this.#fd, bytes, (error, written) => {
      if (error?.code === 'EAGAIN') {
        setTimeout(() => this.#send(bytes), AGAIN_MS);
        return;
      }
      if (error) this.#failed(bytes);
      else if (written < bytes.length) {
        this.#cut = bytes[written - 1] !== NEWLINE;
        this.#send(bytes.subarray(written));
        return;
      } else this.#succeeded();
      this.#busy = false;
      if (this.#lines.length > 0) this.#send(this.#take());
    });
  }

  #failed(bytes: Buffer): void {
    for (const byte of bytes) if (byte === NEWLINE) this.#lost++;
  }

  #succeeded(): void {
    this.#cut = false;
    if (this.#lost === 0) return;
    const told = { level: 'warn', time: new Date().toISOString(), lines: this.#lost, msg: LOST };
    this.#lost = 0;
    // Ahead of the bound, or it would be lost itself.
    this.#lines.push(`${JSON.stringify(told)}\n`);
  }
}
