/**
 * A TCP relay in front of a server. In each direction the bytes pass a stage, which may change them as a network or a
 * proxy does. Without a stage they are unchanged. The relay forwards an end in one direction as an end, and a reset as
 * a reset.
 */
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';
import { resetSocket } from './reset-socket.ts';
import type { TestScope } from './scope.ts';

/** Destination of bytes: the next stage, or the socket after the last stage. */
export interface Sink {
  write(data: Buffer): void;
  end(): void;
}

/** `FIN` is a normal end, `RST` is a reset. */
export type CutKind = 'FIN' | 'RST';

/** One connection through the relay. */
export interface RelayedConnection {
  /** Number of the connection in the relay, from 0. */
  readonly index: number;
  /** Ends both sides. Bytes in transit are lost. */
  cut(kind: CutKind): void;
}

/** Called once for each connection. */
export type Stage = (next: Sink, connection: RelayedConnection) => Sink;

export interface RelayOptions {
  readonly toServer?: Stage | undefined;
  readonly toClient?: Stage | undefined;
  /** Cuts a connection on which nothing has passed for this many milliseconds. */
  readonly idleTimeout?: number;
}

const unchanged: Stage = (next) => next;

/** Writes to a socket, and ignores everything after its end. */
function sinkOf(socket: Socket): Sink {
  return {
    write(data) {
      if (socket.writable) socket.write(data);
    },
    end() {
      if (socket.writable) socket.end();
    },
  };
}

class SocketPair implements RelayedConnection {
  readonly index: number;
  readonly #sockets: readonly Socket[];

  constructor(index: number, client: Socket, server: Socket, options: RelayOptions) {
    this.index = index;
    this.#sockets = [client, server];
    this.#connect(client, server, options.toServer ?? unchanged);
    this.#connect(server, client, options.toClient ?? unchanged);
    const { idleTimeout } = options;
    if (idleTimeout === undefined) return;
    for (const socket of this.#sockets) socket.setTimeout(idleTimeout, () => this.cut('FIN'));
  }

  cut(kind: CutKind): void {
    for (const socket of this.#sockets) {
      if (kind === 'RST') resetSocket(socket);
      else socket.end();
    }
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #connect(from: Socket, to: Socket, stage: Stage): void {
    const sink = stage(sinkOf(to), this);
    from.setNoDelay(true);
    from.on('data', (data: Buffer) => sink.write(data));
    from.on('end', () => sink.end());
    from.on('error', () => this.cut('RST'));
  }
}

export class TcpRelay {
  /** Port of the server on 127.0.0.1, for new connections. */
  targetPort: number;
  readonly #server: Server;
  readonly #pairs = new Set<SocketPair>();
  #isCut = false;

  private constructor(targetPort: number, options: RelayOptions) {
    this.targetPort = targetPort;
    this.#server = createServer({ allowHalfOpen: true }, (client) => {
      if (this.#isCut) {
        resetSocket(client);
        return;
      }
      const target = { port: this.targetPort, host: '127.0.0.1', allowHalfOpen: true };
      const pair = new SocketPair(this.#pairs.size, client, connect(target), options);
      this.#pairs.add(pair);
    });
  }

  /** @param targetPort port of the server on 127.0.0.1 */
  static async start(targetPort: number, options: RelayOptions = {}): Promise<TcpRelay> {
    const relay = new TcpRelay(targetPort, options);
    await new Promise<void>((resolve, reject) => {
      relay.#server.once('error', reject);
      relay.#server.listen(0, '127.0.0.1', resolve);
    });
    return relay;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Resets all connections, and every new one until `mend` is called. */
  cut(): void {
    this.#isCut = true;
    this.reset();
  }

  mend(): void {
    this.#isCut = false;
  }

  /** Resets all connections. */
  reset(): void {
    for (const pair of this.#pairs) pair.cut('RST');
  }

  /** Stops accepting connections, and destroys the open ones. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const pair of this.#pairs) pair.destroy();
    await closed;
  }
}

/** Relays to a port until the test ends. @returns the port of the relay */
export async function startRelay(
  scope: TestScope,
  targetPort: number,
  options?: RelayOptions,
): Promise<number> {
  const relay = await TcpRelay.start(targetPort, options);
  scope.after(() => relay.close());
  return relay.port;
}
