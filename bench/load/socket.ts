/**
 * A raw socket with little overhead: all sockets read into one buffer, and writes are prepared buffers. An error or
 * an unexpected end ends the benchmark.
 *
 * The clients of this folder do not use `testkit/`. They compare bytes without decoding them. A client that joins
 * chunks, sets timers and decodes frames would use more CPU time than the servers.
 */
import { type Socket, connect } from 'node:net';

const READ_BUFFER = Buffer.allocUnsafe(256 * 1024);

/** @returns the number of bytes that were complete. The rest is passed again with the bytes that follow. */
export type Take = (data: Buffer) => number;

export class RawSocket {
  readonly #socket: Socket;
  readonly #take: Take;
  #rest: Buffer | undefined;
  #ended: (() => void) | undefined;
  #isEnded = false;

  constructor(port: number, take: Take) {
    this.#take = take;
    this.#socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: READ_BUFFER,
        callback: (length) => this.#receive(READ_BUFFER.subarray(0, length)),
      },
    });
    this.#socket.on('error', (error) => {
      throw error;
    });
    this.#socket.on('close', () => this.#closed());
  }

  write(data: Buffer): void {
    this.#socket.write(data);
  }

  /** Allows the server to close the connection, and settles when it has. */
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

  #receive(data: Buffer): boolean {
    const all = this.#rest === undefined ? data : Buffer.concat([this.#rest, data]);
    const taken = this.#take(all);
    this.#rest = taken === all.length ? undefined : Buffer.from(all.subarray(taken));
    return true;
  }

  #closed(): void {
    this.#isEnded = true;
    if (this.#ended === undefined) throw new Error('The server closed a connection.');
    this.#ended();
  }
}
