import type { WebSocket } from 'ws';
import { z } from 'zod';

/** Audio that waits for its delay, per connection: two parties, 10 s, messages of 20 ms. */
const MAX_WAITING = 1000;
const MAX_WAITING_CHARACTERS = 4 * 1024 * 1024;
/** A client that does not read gets nothing more. */
const MAX_BUFFERED_BYTES = 1024 * 1024;

const input = z.object({
  sequence: z.number().int().nonnegative(),
  speaker: z.enum(['customer', 'agent']),
  audio: z.object({ encoding: z.string(), sample_rate_hz: z.number(), payload: z.base64() }),
});
type Input = z.infer<typeof input>;

export interface EchoOptions {
  sessionId: string;
  delayMs: number;
  /** Whether the output names the other role as its speaker. */
  swap: boolean;
}

/** The embedded pipeline's side of one connection: answers every message of contract §7.1, gives audio back late. */
export class EchoSession {
  readonly #socket: WebSocket;
  readonly #options: EchoOptions;
  readonly #waiting: { dueAt: number; text: string }[] = [];
  #waitingCharacters = 0;
  #sequence = 0;

  constructor(socket: WebSocket, options: EchoOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on('error', () => socket.terminate());
    socket.on('message', (data, isBinary) => {
      if (!isBinary) this.#read((data as Buffer).toString());
    });
    this.#send({ type: 'session.ready', session_id: options.sessionId });
  }

  /** Sends what has waited for long enough. @param now monotonic, ms */
  sendDue(now: number): void {
    while (this.#waiting.length > 0 && this.#waiting[0]!.dueAt <= now) {
      const { text } = this.#waiting.shift()!;
      this.#waitingCharacters -= text.length;
      this.#sendText(text);
    }
  }

  terminate(): void {
    this.#socket.terminate();
  }

  #read(text: string): void {
    let message: { type?: unknown } | null;
    try {
      message = JSON.parse(text);
    } catch {
      this.#complain('invalid_message', 'the message is not JSON');
      return;
    }
    const session_id = this.#options.sessionId;
    if (message?.type === 'audio.input') {
      this.#echo(message);
    } else if (message?.type === 'ping') {
      this.#send({ type: 'pong', session_id });
    } else if (message?.type === 'session.end') {
      this.#send({ type: 'session.ended', session_id, reason: 'explicit_end' });
      this.#socket.close(1000);
    }
  }

  #echo(message: unknown): void {
    const { success, data } = input.safeParse(message);
    if (!success) {
      this.#complain('invalid_message', 'the audio.input is not complete');
    } else if (data.audio.encoding !== 'mulaw' || data.audio.sample_rate_hz !== 8000) {
      this.#complain('invalid_audio_format', 'audio must be mulaw at 8000 Hz');
    } else if (this.#options.delayMs === 0) {
      this.#sendText(this.#output(data));
    } else {
      this.#wait(this.#output(data));
    }
  }

  #wait(text: string): void {
    this.#waiting.push({ dueAt: performance.now() + this.#options.delayMs, text });
    this.#waitingCharacters += text.length;
    while (this.#waiting.length > MAX_WAITING || this.#waitingCharacters > MAX_WAITING_CHARACTERS) {
      this.#waitingCharacters -= this.#waiting.shift()!.text.length;
    }
  }

  #output({ speaker, audio }: Input): string {
    const other = speaker === 'customer' ? 'agent' : 'customer';
    const names = this.#options.swap ? other : speaker;
    this.#sequence++;
    return `{"type":"audio.output","sequence":${this.#sequence},"speaker":"${names}","audio":{"encoding":"mulaw","sample_rate_hz":8000,"payload":"${audio.payload}"}}`;
  }

  #complain(code: string, message: string): void {
    this.#send({ type: 'session.error', session_id: this.#options.sessionId, code, message });
  }

  #send(message: Record<string, unknown>): void {
    this.#sendText(JSON.stringify(message));
  }

  #sendText(text: string): void {
    if (this.#socket.bufferedAmount < MAX_BUFFERED_BYTES) this.#socket.send(text);
  }
}
