import { constants, X509Certificate } from 'node:crypto';
import { isIP, type Socket } from 'node:net';
import {
  connect,
  createSecureContext,
  createServer,
  getCACertificates,
  type SecureContext,
  type Server,
  type TLSSocket,
} from 'node:tls';
import { PeerCertificate } from './peer-certificate.ts';
import type { EngineStats } from './stats.ts';
import type { TlsMaterial, TlsSettings } from './tls-settings.ts';
import type { Hop } from './transport.ts';

/** What a handshake has led to. The certificate is there when the peer gave one and one of our CAs vouches for it. */
type Secured = (socket: TLSSocket, certificate: PeerCertificate | undefined) => void;

/**
 * Sessions are not resumed: a connection lives for long, and each handshake looks at the certificate anew. Renegotiation
 * would let a peer ask for work as often as it likes.
 */
const SECURE_OPTIONS = constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION;

/** TLS handshakes, both ways, with the certificate that is in force now. */
export class TlsHandshakes {
  readonly #settings: TlsSettings;
  readonly #stats: EngineStats;
  /** Listens nowhere; it is given the connections that a listener has admitted. */
  readonly #server: Server;
  /** Who waits for which connection, by both of its ends. */
  readonly #waiting = new Map<string, Secured>();
  #client: SecureContext;

  constructor(settings: TlsSettings, material: TlsMaterial, stats: EngineStats) {
    this.#settings = settings;
    this.#stats = stats;
    const { clientCertificates } = settings;
    this.#server = createServer({
      ...this.#serverContext(material),
      requestCert: clientCertificates !== 'off',
      rejectUnauthorized: clientCertificates === 'required',
    });
    this.#server.on('secureConnection', (socket) => this.#secured(socket));
    this.#server.on('tlsClientError', (_, socket) => socket.destroy());
    this.#client = this.#clientContext(material);
  }

  /** New handshakes use what the files hold now; open connections stay as they are. */
  renew(material: TlsMaterial): void {
    this.#server.setSecureContext(this.#serverContext(material));
    this.#client = this.#clientContext(material);
  }

  /** Answers the handshake of a peer. `secured` is called once, or never when the connection closes before. */
  accept(socket: Socket, secured: Secured): void {
    const ends = endsOf(socket);
    this.#waiting.set(ends, secured);
    socket.once('close', () => {
      if (this.#waiting.delete(ends)) this.#stats.handshakesFailed += 1;
    });
    this.#server.emit('connection', socket);
  }

  /** Connects from `source` to a peer whose certificate has to be for the hop's name, or its address (RFC 5922 §7.3). */
  connect(hop: Hop, source: string | undefined): TLSSocket {
    const name = hop.name ?? hop.address;
    const socket = connect({
      host: hop.address,
      port: hop.port,
      ...(source !== undefined && { localAddress: source }),
      servername: isIP(name) === 0 ? name : '',
      secureContext: this.#client,
      checkServerIdentity: (_, { raw }) => {
        if (readCertificate(() => new X509Certificate(raw))?.isFor(name)) return undefined;
        return new Error(`the certificate of the peer is not for ${name}`);
      },
    });
    socket.setNoDelay(true);
    // Nothing leaves before the peer has shown who it is.
    socket.cork();
    let secure = false;
    socket.once('secureConnect', () => {
      secure = true;
      socket.uncork();
    });
    socket.once('close', () => {
      if (!secure) this.#stats.handshakesFailed += 1;
    });
    return socket;
  }

  #secured(socket: TLSSocket): void {
    const ends = endsOf(socket);
    const secured = this.#waiting.get(ends);
    if (secured === undefined) {
      socket.destroy();
      return;
    }
    this.#waiting.delete(ends);
    const given = socket.getPeerX509Certificate();
    const certificate = socket.authorized ? readCertificate(() => given) : undefined;
    if (given !== undefined && certificate === undefined) this.#stats.certificatesInvalid += 1;
    secured(socket, certificate);
  }

  #serverContext({ cert, key, ca }: TlsMaterial) {
    const { minVersion } = this.#settings;
    return { cert, key, ca, minVersion, secureOptions: SECURE_OPTIONS, honorCipherOrder: true };
  }

  #clientContext({ cert, key, ca }: TlsMaterial): SecureContext {
    const trusted = [...getCACertificates('default'), ...(ca === undefined ? [] : [ca])];
    const { minVersion } = this.#settings;
    return createSecureContext({ cert, key, ca: trusted, minVersion, secureOptions: SECURE_OPTIONS });
  }
}

/** What nobody can read identifies nobody. */
function readCertificate(get: () => X509Certificate | undefined): PeerCertificate | undefined {
  try {
    const certificate = get();
    return certificate && new PeerCertificate(certificate);
  } catch {
    return undefined;
  }
}

const endsOf = ({ remoteAddress, remotePort, localAddress, localPort }: Socket): string =>
  `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
