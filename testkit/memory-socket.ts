/** Connections in memory, for tests without sockets. */
import { Duplex } from 'node:stream';

/** Bytes on their way to the other end, up to which a write is complete at once, as into the buffers of the system. */
const MAX_IN_FLIGHT_BYTES = 64 * 1024;

/** Carries the events of one end to the other one, in order. It may run them later. */
export type Carrier = (run: () => void) => void;

function carryAtOnce(run: () => void): void {
  run();
}

export interface MemoryPairOptions {
  /** Address of the client, as the server sees it. */
  readonly remoteAddress: string;
  readonly toServer?: Carrier;
  readonly toClient?: Carrier;
}

/** One end of an in-memory connection, with the members of a socket that `node:http` and the server use. */
export class MemorySocket extends Duplex {
  readonly remoteAddress: string;
  bytesWritten = 0;
  connecting = false;
  readonly #carry: Carrier;
  #other: MemorySocket | undefined;
  #inFlight = 0;
  #isFull = false;
  #accepted: (() => void) | undefined;

  /** @param carry carries what this end writes */
  constructor(remoteAddress: string, carry: Carrier) {
    super({ allowHalfOpen: true });
    this.remoteAddress = remoteAddress;
    this.#carry = carry;
  }

  static pair({
    remoteAddress,
    toServer = carryAtOnce,
    toClient = carryAtOnce,
  }: MemoryPairOptions): {
    readonly client: MemorySocket;
    readonly server: MemorySocket;
  } {
    const client = new MemorySocket('127.0.0.1', toServer);
    const server = new MemorySocket(remoteAddress, toClient);
    client.#other = server;
    server.#other = client;
    return { client, server };
  }

  /** This method and the next ones are required of a socket. In memory they have no effect. */
  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  resetAndDestroy(): this {
    return this.destroy();
  }

  override _read(): void {
    if (this.#other !== undefined) this.#other.#accept();
  }

  /** Once the other end is full, a write is complete when it wants more, which gives a paused reader backpressure. */
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.bytesWritten += chunk.length;
    const other = this.#other;
    if (other === undefined || other.destroyed) return done();
    const data = Buffer.from(chunk);
    this.#inFlight += data.length;
    this.#carry(() => {
      this.#inFlight -= data.length;
      this.#isFull = !other.destroyed && !other.push(data);
      if (!this.#isFull) this.#accept();
    });
    if (!this.#isFull && this.#inFlight <= MAX_IN_FLIGHT_BYTES) return done();
    this.#accepted = done;
    return undefined;
  }

  override _final(done: () => void): void {
    const other = this.#other;
    this.#carry(() => {
      if (other !== undefined && !other.destroyed) other.push(null);
    });
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const other = this.#other;
    this.#carry(() => {
      if (other !== undefined && !other.destroyed) process.nextTick(() => other.destroy());
    });
    done(error);
  }

  #accept(): void {
    this.#isFull = false;
    const accepted = this.#accepted;
    this.#accepted = undefined;
    accepted?.();
  }
}
