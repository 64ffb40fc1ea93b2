/**
 * A raw socket with little overhead: all sockets read into one buffer, and writes are prepared buffers. An error or
 * an unexpected end ends the benchmark.
 *
 * The clients of this folder do not use those of `testkit/`. They compare bytes without decoding them. A client that
 * joins chunks, sets timers and decodes frames would use more CPU time than the servers.
 */
import { type NetConnectOpts, type Socket, connect } from 'node:net';
import { connect as connectTls } from 'node:tls';

const READ_BUFFER = Buffer.allocUnsafe(256 * 1024);

/** @returns the number of bytes that were complete. The rest is passed again with the bytes that follow. */
export type Take = (data: Buffer) => number;

/** Passes received bytes to `take`, and keeps those that were not complete. */
export class Receiver {
  readonly #take: Take;
  #rest: Buffer | undefined;

  constructor(take: Take) {
    this.#take = take;
  }

  receive(data: Buffer): void {
    const all = this.#rest === undefined ? data : Buffer.concat([this.#rest, data]);
    const taken = this.#take(all);
    this.#rest = taken === all.length ? undefined : Buffer.from(all.subarray(taken));
  }
}

/** Bytes in both directions: a socket, or a stream of a connection that others share. */
export interface ByteStream {
  write(data: Buffer): void;
  /** Allows the server to close the connection, and settles when it has. */
  ended(): Promise<void>;
  destroy(): void;
}

/** Protocol that a client offers over TLS, by ALPN. */
export type TlsProtocol = 'http/1.1' | 'h2';

export class RawSocket implements ByteStream {
  readonly #socket: Socket;
  #ended: (() => void) | undefined;
  #isEnded = false;

  /** @param tls offered protocol. Without it, the socket does not use TLS. */
  constructor(port: number, take: Take, tls?: TlsProtocol) {
    const receiver = new Receiver(take);
    const options: NetConnectOpts = {
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: READ_BUFFER,
        callback: (length) => {
          receiver.receive(READ_BUFFER.subarray(0, length));
          return true;
        },
      },
    };
    this.#socket =
      tls === undefined
        ? connect(options)
        : connectTls({ ...options, ALPNProtocols: [tls], rejectUnauthorized: false });
    this.#socket.on('error', (error) => {
      throw error;
    });
    this.#socket.on('close', () => this.#closed());
  }

  write(data: Buffer): void {
    this.#socket.write(data);
  }

  async ended(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#ended = resolve;
      if (this.#isEnded) resolve();
    });
  }

  destroy(): void {
    this.#ended = () => {};
    this.#socket.destroy();
  }

  #closed(): void {
    this.#isEnded = true;
    if (this.#ended === undefined) throw new Error('The server closed a connection.');
    this.#ended();
  }
}
