/** A connection on which a test controls every byte that it sends, and reads every byte that it receives. */
import { Socket, connect as connectTcp } from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { resetSocket } from './reset-socket.ts';
import type { TestScope } from './scope.ts';
import { DEFAULT_TIMEOUT_MS, TimeoutError, type WaitOptions } from './until.ts';

export interface ConnectOptions {
  readonly port: number;
  readonly host?: string;
  /** Address of this machine to connect from, such as `127.0.0.2`. */
  readonly localAddress?: string;
  /** Connects over TLS, with these options. */
  readonly tls?: ConnectionOptions;
  /** Stays writable after the server has ended its side. */
  readonly allowHalfOpen?: boolean;
}

/** A port of 127.0.0.1, an address, or a stream that is connected already. */
export type Target = number | ConnectOptions | Duplex;

export interface ReadOptions extends WaitOptions {
  /** Default timeout of every read, in milliseconds. 10 s. */
  readonly timeout?: number;
}

const { setTimeout: setRealTimeout, clearTimeout: clearRealTimeout } = globalThis;

/** Bytes that an error message quotes. */
const MAX_QUOTED_BYTES = 200;

function isStream(target: number | ConnectOptions | Duplex): target is Duplex {
  return typeof target === 'object' && 'write' in target;
}

function openStream(target: Target): Duplex {
  if (isStream(target)) return target;
  const options = typeof target === 'number' ? { port: target } : target;
  const { tls, allowHalfOpen = false } = options;
  const address = { host: '127.0.0.1', ...options };
  if (tls === undefined) return connectTcp({ ...address, allowHalfOpen });
  return connectTls({ ...address, ...tls });
}

/** Thrown by a read when the connection ends before the read is complete. */
export class ConnectionEndedError extends Error {
  override readonly name = 'ConnectionEndedError';
}

export class RawConnection {
  /** A `net.Socket`, a `tls.TLSSocket` or the stream that was passed to the constructor. */
  readonly stream: Duplex;
  readonly #timeout: number;
  #chunks: Buffer[] = [];
  #length = 0;
  #error: Error | undefined;
  #isEnded = false;
  #isClosed = false;
  readonly #waitingReaders = new Set<() => void>();

  constructor(target: Target, { timeout = DEFAULT_TIMEOUT_MS }: ReadOptions = {}) {
    this.stream = openStream(target);
    this.#timeout = timeout;
    this.stream.on('data', (data: Buffer) => {
      this.#chunks.push(data);
      this.#length += data.length;
      this.#wake();
    });
    this.stream.on('end', () => {
      this.#isEnded = true;
      this.#wake();
    });
    this.stream.on('error', (error) => {
      this.#error = error;
    });
    this.stream.on('close', () => {
      this.#isEnded = true;
      this.#isClosed = true;
      this.#wake();
    });
  }

  /** The stream as a socket. @throws an error if it is another kind of stream */
  get socket(): Socket {
    if (this.stream instanceof Socket) return this.stream;
    throw new TypeError('The connection is not a socket.');
  }

  /** Number of bytes that have arrived and were not read yet. */
  get available(): number {
    return this.#length;
  }

  /** True once the server has ended its side, or the connection has closed. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The error of the stream, such as a reset. */
  get error(): Error | undefined {
    return this.#error;
  }

  /** Writes bytes. It has no effect after the end of the stream, since the server may close first. */
  write(data: string | Uint8Array): this {
    if (this.stream.writable) this.stream.write(data);
    return this;
  }

  /**
   * Writes piece by piece.
   * @param pause milliseconds between two pieces. With 0 each piece gets its own turn of the event loop
   */
  async writeSlowly(data: string | Uint8Array, pieceBytes = 1, pause = 0): Promise<void> {
    const bytes = Buffer.from(data);
    for (let at = 0; at < bytes.length && !this.#isClosed; at += pieceBytes) {
      this.write(bytes.subarray(at, at + pieceBytes));
      await (pause === 0 ? nextTurn() : delay(pause));
    }
  }

  /** Reads exactly `length` bytes. @throws TimeoutError, ConnectionEndedError */
  async readBytes(length: number, options?: WaitOptions): Promise<Buffer> {
    await this.#require(() => this.#length >= length, `${length} bytes`, options);
    return this.#take(length);
  }

  /** Reads all bytes that have arrived, at least one. Returns undefined after the end. */
  async readSome(options?: WaitOptions): Promise<Buffer | undefined> {
    await this.#wait(() => this.#length > 0 || this.#isEnded, 'more bytes', options);
    return this.#length > 0 ? this.#take(this.#length) : undefined;
  }

  /** Reads a line, and returns it without its CRLF. */
  async readLine(options?: WaitOptions): Promise<string> {
    let end = -1;
    const hasLine = (): boolean => {
      end = this.#joined().indexOf('\r\n');
      return end >= 0;
    };
    await this.#require(hasLine, 'a line', options);
    return this.#take(end + 2)
      .toString('latin1')
      .slice(0, -2);
  }

  /** Waits for the server to end the connection, and returns the bytes until then. */
  async readToEnd(options?: WaitOptions): Promise<Buffer> {
    await this.ended(options);
    return this.#take(this.#length);
  }

  /** Waits until the server has ended its side, or the connection has closed. */
  async ended(options?: WaitOptions): Promise<void> {
    await this.#wait(() => this.#isEnded, 'the end of the connection', options);
  }

  /** Waits until the connection has closed in both directions. */
  async closed(options?: WaitOptions): Promise<void> {
    await this.#wait(() => this.#isClosed, 'the close of the connection', options);
  }

  /** Takes all bytes that have arrived, without waiting. */
  takeAvailable(): Buffer {
    return this.#take(this.#length);
  }

  /**
   * Waits for new bytes or the end, for at most `milliseconds`.
   * @returns whether bytes or the end have arrived in that time
   */
  async activity(milliseconds: number): Promise<boolean> {
    const before = this.#length;
    try {
      const happened = (): boolean => this.#length > before || this.#isEnded;
      await this.#wait(happened, 'activity', { timeout: milliseconds });
      return true;
    } catch (error) {
      if (error instanceof TimeoutError) return false;
      throw error;
    }
  }

  /** Stops reading: bytes stay in the buffers of the system and of the server. */
  pause(): this {
    this.stream.pause();
    return this;
  }

  resume(): this {
    this.stream.resume();
    return this;
  }

  /** Ends the client's side. Reading continues. */
  end(): void {
    this.stream.end();
  }

  /** Resets the connection, as a client that crashes does. A TLS connection is only closed. */
  abort(): void {
    resetSocket(this.stream);
  }

  close(): void {
    this.stream.destroy();
  }

  async #require(condition: () => boolean, awaited: string, options?: WaitOptions): Promise<void> {
    let isMet = false;
    const isOver = (): boolean => {
      isMet = condition();
      return isMet || this.#isEnded;
    };
    await this.#wait(isOver, awaited, options);
    if (isMet) return;
    const cause = this.#error === undefined ? {} : { cause: this.#error };
    const message = `The connection ended before ${awaited} came, after ${this.#quoted()}.`;
    throw new ConnectionEndedError(message, cause);
  }

  /** Waits for a condition. All waiting readers check their condition when something happens. */
  async #wait(
    condition: () => boolean,
    awaited: string,
    { timeout = this.#timeout }: WaitOptions = {},
  ): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve, reject) => {
      const finish = (): void => {
        clearRealTimeout(timer);
        this.#waitingReaders.delete(check);
      };
      const check = (): void => {
        if (!condition()) return;
        finish();
        resolve();
      };
      const expire = (): void => {
        finish();
        reject(new TimeoutError(`${awaited} after ${this.#quoted()}`, timeout));
      };
      const timer = timeout === Infinity ? undefined : setRealTimeout(expire, timeout);
      this.#waitingReaders.add(check);
    });
  }

  #wake(): void {
    for (const check of this.#waitingReaders) check();
  }

  /** Returns all bytes in one buffer. They are joined only on access. */
  #joined(): Buffer {
    const [first, ...others] = this.#chunks;
    if (first === undefined) return Buffer.alloc(0);
    if (others.length === 0) return first;
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }

  #take(length: number): Buffer {
    const joined = this.#joined();
    const taken = joined.subarray(0, length);
    const rest = joined.subarray(length);
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#length = rest.length;
    return taken;
  }

  #quoted(): string {
    return JSON.stringify(this.#joined().subarray(0, MAX_QUOTED_BYTES).toString('latin1'));
  }
}

/** Connects to a server, and closes the connection at the end of the test. */
export function rawConnection(
  scope: TestScope,
  target: Target,
  options?: ReadOptions,
): RawConnection {
  const connection = new RawConnection(target, options);
  scope.after(() => connection.close());
  return connection;
}
