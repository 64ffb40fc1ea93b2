/** A connection of HTTP/2 on a raw socket, with the part of RFC 9113 that these servers use. */
import { END_STREAM, FRAME, encodeHttp2Frame } from '../../testkit/http2-client.ts';
import { unexpected } from './inbox.ts';
import { RawSocket } from './socket.ts';

export const HEAD_LENGTH = 9;
const WINDOW_UPDATE = 8;
const GOAWAY = 7;
const ACK = 1;
const INITIAL_WINDOW_SIZE = 4;
const MAX_WINDOW = 2 ** 31 - 1;
const DEFAULT_WINDOW = 65_535;
const CANCEL = 8;
/** First byte of a head, with an index of the static table: RFC 7541, appendix A. */
const STATUS: ReadonlyMap<number, number> = new Map([
  [0x88, 200],
  [0x89, 204],
]);

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Windows that no measurement fills, so that this client never updates them. */
const PREFACE = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  encodeHttp2Frame(
    FRAME.settings,
    0,
    0,
    Buffer.concat([Buffer.from([0, INITIAL_WINDOW_SIZE]), uint32(MAX_WINDOW)]),
  ),
  encodeHttp2Frame(WINDOW_UPDATE, 0, 0, uint32(MAX_WINDOW - DEFAULT_WINDOW)),
]);

/** Receives what arrives on a stream. */
export interface StreamListener {
  onHead(status: number): void;
  onData(data: Buffer): void;
  onEnd(): void;
}

export class Http2Connection {
  readonly #socket: RawSocket;
  readonly #streams = new Map<number, StreamListener>();
  #nextStream = 1;
  /** Bytes of DATA frames that the server still accepts. */
  #window = DEFAULT_WINDOW;
  /** Frames of this turn, and those that wait for the window. They leave in one write, as those of a browser. */
  #pending: { readonly bytes: Buffer; readonly counted: number }[] = [];

  constructor(port: number, isSecure: boolean) {
    this.#socket = new RawSocket(port, (data) => this.#take(data), isSecure ? 'h2' : undefined);
    this.#socket.write(PREFACE);
  }

  /** Opens a stream. @param frames its first frames, without its number. @param counted bytes of their data */
  open(frames: Buffer, counted: number, listener: StreamListener): number {
    const stream = this.#nextStream;
    this.#nextStream += 2;
    this.#streams.set(stream, listener);
    const bytes = Buffer.from(frames);
    for (let at = 0; at < bytes.length; at += HEAD_LENGTH + bytes.readUIntBE(at, 3))
      bytes.writeUInt32BE(stream, at + 5);
    this.#send(bytes, counted);
    return stream;
  }

  data(stream: number, data: Buffer): void {
    this.#send(encodeHttp2Frame(FRAME.data, 0, stream, data), data.length);
  }

  reset(stream: number): void {
    if (!this.#streams.delete(stream)) return;
    this.#send(encodeHttp2Frame(FRAME.reset, 0, stream, uint32(CANCEL)), 0);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #send(bytes: Buffer, counted: number): void {
    if (this.#pending.length === 0) process.nextTick(() => this.#flush());
    this.#pending.push({ bytes, counted });
  }

  #flush(): void {
    const frames = this.#pending;
    let count = 0;
    for (const { counted } of frames) {
      if (counted > this.#window) break;
      this.#window -= counted;
      count += 1;
    }
    if (count === 0) return;
    this.#pending = frames.slice(count);
    this.#socket.write(Buffer.concat(frames.slice(0, count).map(({ bytes }) => bytes)));
  }

  #take(data: Buffer): number {
    let at = 0;
    while (data.length - at >= HEAD_LENGTH) {
      const end = at + HEAD_LENGTH + data.readUIntBE(at, 3);
      if (end > data.length) break;
      const stream = data.readUInt32BE(at + 5);
      this.#takeFrame(data[at + 3] ?? 0, data[at + 4] ?? 0, stream, data.subarray(at + 9, end));
      at = end;
    }
    return at;
  }

  #takeFrame(type: number, flags: number, stream: number, payload: Buffer): void {
    if (type === FRAME.data) {
      if (payload.length > 0) this.#streams.get(stream)?.onData(payload);
    } else if (type === FRAME.headers) {
      const status = STATUS.get(payload[0] ?? 0);
      if (status === undefined) throw unexpected(payload, 0, payload.length);
      this.#streams.get(stream)?.onHead(status);
    } else if (type === FRAME.settings) {
      if ((flags & ACK) === 0) this.#send(encodeHttp2Frame(FRAME.settings, ACK, 0), 0);
      return;
    } else if (type === FRAME.ping) {
      if ((flags & ACK) === 0) this.#send(encodeHttp2Frame(FRAME.ping, ACK, 0, payload), 0);
      return;
    } else if (type === WINDOW_UPDATE) {
      if (stream !== 0) return;
      this.#window += payload.readUInt32BE(0);
      this.#flush();
      return;
    } else if (type === GOAWAY) {
      throw new Error('The server closed a connection.');
    }
    if (type === FRAME.reset || (flags & END_STREAM) !== 0) this.#end(stream);
  }

  #end(stream: number): void {
    const listener = this.#streams.get(stream);
    this.#streams.delete(stream);
    listener?.onEnd();
  }
}
