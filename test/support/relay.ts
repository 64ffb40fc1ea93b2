/**
 * A TCP relay in front of a server. In each direction of each connection the bytes pass a stage, which may
 * do to them whatever a network or a proxy does; without one they pass as they are. Ends pass as ends, also
 * where the other half goes on, and a reset as a reset.
 */
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';
import type { TestContext } from 'node:test';

/** Where bytes go: to the next stage, at last to a socket. */
export interface Sink {
  write(data: Buffer): void;
  end(): void;
}

/** How a connection is cut: with an end that looks as if it had been meant, or with a reset. */
export type CutKind = 'FIN' | 'RST';

/** One connection through the relay. */
export interface Passage {
  /** Counts the connections of a relay from 0. */
  readonly index: number;
  /** Ends both sides of it. What was on its way is lost. */
  cut(how: CutKind): void;
}

/** Made anew for each connection. */
export type Stage = (next: Sink, passage: Passage) => Sink;

export interface Stages {
  readonly toServer?: Stage | undefined;
  readonly toClient?: Stage | undefined;
  /** Cuts a connection on which nothing has passed for so long, in milliseconds. */
  readonly idleCut?: number;
}

const untouched: Stage = (next) => next;

/** Nothing follows an end, whatever a stage still has to say. */
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

class SocketPair implements Passage {
  readonly index: number;
  readonly #sockets: readonly Socket[];

  constructor(index: number, client: Socket, server: Socket, stages: Stages) {
    this.index = index;
    this.#sockets = [client, server];
    this.#carry(client, server, stages.toServer ?? untouched);
    this.#carry(server, client, stages.toClient ?? untouched);
    if (stages.idleCut === undefined) return;
    for (const socket of this.#sockets) socket.setTimeout(stages.idleCut, () => this.cut('FIN'));
  }

  cut(how: CutKind): void {
    for (const socket of this.#sockets) {
      if (how === 'RST') socket.resetAndDestroy();
      else socket.end();
    }
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #carry(from: Socket, to: Socket, stage: Stage): void {
    const sink = stage(sinkOf(to), this);
    from.setNoDelay(true);
    from.on('data', (data: Buffer) => sink.write(data));
    from.on('end', () => sink.end());
    from.on('error', () => this.cut('RST'));
  }
}

export class Relay {
  readonly port: number;
  readonly #server: Server;
  readonly #pairs: ReadonlySet<SocketPair>;

  private constructor(server: Server, pairs: ReadonlySet<SocketPair>) {
    this.#server = server;
    this.#pairs = pairs;
    this.port = (server.address() as AddressInfo).port;
  }

  /** @param to the port of the server, on 127.0.0.1 */
  static async start(to: number, stages: Stages): Promise<Relay> {
    const pairs = new Set<SocketPair>();
    const server = createServer({ allowHalfOpen: true }, (client) => {
      const upstream = connect({ port: to, host: '127.0.0.1', allowHalfOpen: true });
      pairs.add(new SocketPair(pairs.size, client, upstream, stages));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Relay(server, pairs);
  }

  /** Takes no more connections, and drops those that are there. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const pair of this.#pairs) pair.destroy();
    await closed;
  }
}

/** Relays to a port until the test ends. @returns the relay's own port */
export async function relay(t: TestContext, to: number, stages: Stages): Promise<number> {
  const started = await Relay.start(to, stages);
  t.after(() => started.close());
  return started.port;
}
