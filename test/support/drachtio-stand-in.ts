import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { FrameReader } from '../../src/drachtio-frames.ts';
import { type Engine, startEngine } from '../../src/sip-engine/engine.ts';
import { identity } from './certificates.ts';

/**
 * What looks to a gateway like a drachtio-server: the embedded engine behind a door with a port of its own, a secret of its
 * own, and TLS where that is wanted. It can be killed and started again at the same ports.
 */
export class DrachtioStandIn {
  readonly secret = 'stand-in';
  readonly #tls: boolean;
  /** Where it takes SIP. */
  readonly address: string;
  readonly #sockets = new Set<Socket>();
  #engine: Engine | undefined;
  #door: Server | undefined;
  /** Of its door, where gateways connect. */
  port = 0;
  /** Where it takes SIP over UDP. */
  sipPort = 0;

  private constructor(tls: boolean, address: string) {
    this.#tls = tls;
    this.address = address;
  }

  static async start({ tls = false, address = '127.0.0.1' } = {}): Promise<DrachtioStandIn> {
    const standIn = new DrachtioStandIn(tls, address);
    await standIn.start();
    return standIn;
  }

  async start(): Promise<void> {
    const engine = await startEngine({
      listen: [{ transport: 'udp', host: this.address, port: this.sipPort }],
    });
    this.#engine = engine;
    this.sipPort = Number(engine.hostports[0]?.split(':')[1]);
    const enter = (socket: Socket) => this.#pass(socket, engine);
    const door = this.#tls ? createTlsServer(identity('server'), enter) : createServer(enter);
    this.#door = door;
    door.listen(this.port, '127.0.0.1');
    await once(door, 'listening');
    this.port = (door.address() as AddressInfo).port;
  }

  /** Gateways lose their connections first, and cannot come back. */
  async kill(): Promise<void> {
    this.#door?.close();
    for (const socket of this.#sockets) socket.destroy();
    await this.#engine?.close();
  }

  #pass(app: Socket, engine: Engine): void {
    const side = connect(engine.port, engine.host);
    for (const socket of [app, side]) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        app.destroy();
        side.destroy();
      });
    }
    side.pipe(app);
    const reader = new FrameReader(65_536);
    app.on('data', (bytes: Buffer) => {
      for (const payload of reader.feed(bytes)) {
        const frame = payload
          .toString()
          .replace(`|authenticate|${this.secret}|`, `|authenticate|${engine.secret}|`);
        side.write(`${Buffer.byteLength(frame)}#${frame}`);
      }
    });
  }
}
