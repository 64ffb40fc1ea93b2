/** A WebSocket client with the part of RFC 6455 that these servers use. */
import type { Dialect, Exchange } from './dialects.ts';
import { HTTP1 } from './http.ts';
import { type Expected, Inbox, unexpected } from './inbox.ts';
import type { ByteStream } from './socket.ts';
import type { Wire } from './wire.ts';

const MASK = Buffer.from([1, 2, 3, 4]);
const TEXT = 0x81;
const CLOSE = 0x88;
const PING = 0x89;
const PONG = 0x8a;

function clientFrame(type: number, payload: Buffer): Buffer {
  const long = payload.length > 125;
  const head = Buffer.alloc(long ? 4 : 2);
  head[0] = type;
  head[1] = 0x80 | (long ? 126 : payload.length);
  if (long) head.writeUInt16BE(payload.length, 2);
  const masked = payload.map((byte, index) => byte ^ (MASK[index % MASK.length] ?? 0));
  return Buffer.concat([head, MASK, masked]);
}

export function textFrame(text: string): Buffer {
  return clientFrame(TEXT, Buffer.from(text));
}

function replyTo(exchange: Exchange | undefined): Buffer | undefined {
  return exchange?.reply === undefined ? undefined : textFrame(exchange.reply);
}

const CLOSE_FRAME = clientFrame(CLOSE, Buffer.from([0x03, 0xe8])); // 1000
const PONG_FRAME = clientFrame(PONG, Buffer.alloc(0));

export class WebSocketClient {
  readonly inbox: Inbox;
  readonly #dialect: Dialect;
  readonly #socket: ByteStream;
  #step = 0;
  #opened: () => void = () => {};
  #heartbeatArrived: () => void = () => {};

  private constructor(port: number, dialect: Dialect, expected: Expected, wire: Wire) {
    this.inbox = new Inbox(expected);
    this.#dialect = dialect;
    this.#socket = wire.webSocket(port, dialect.path, (data) => this.#take(data));
  }

  /** Settles when the session is open. */
  static async open(
    port: number,
    dialect: Dialect,
    expected: Expected,
    wire: Wire = HTTP1,
  ): Promise<WebSocketClient> {
    const client = new WebSocketClient(port, dialect, expected, wire);
    await new Promise<void>((resolve) => {
      client.#opened = resolve;
    });
    return client;
  }

  send(frames: Buffer): void {
    this.#socket.write(frames);
  }

  /** Settles at the next heartbeat or ping. */
  async heartbeat(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#heartbeatArrived = resolve;
    });
  }

  /** Sends a close frame, and waits for the server to close the connection. */
  async close(): Promise<void> {
    this.#socket.write(CLOSE_FRAME);
    await this.#socket.ended();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #take(data: Buffer): number {
    let at = 0;
    while (data.length - at >= 2) {
      const short = (data[at + 1] ?? 0) & 0x7f;
      const begin = at + (short === 127 ? 10 : short === 126 ? 4 : 2);
      if (data.length < begin) break;
      const end = begin + (short < 126 ? short : data.readUIntBE(at + 2, short === 126 ? 2 : 6));
      if (data.length < end) break;
      this.#takeFrame(data, data[at] ?? 0, begin, end);
      at = end;
    }
    return at;
  }

  #takeFrame(data: Buffer, type: number, begin: number, end: number): void {
    if (type === TEXT) this.#takeText(data, begin, end);
    else if (type === PING && begin === end) this.#takeHeartbeat(PONG_FRAME);
    else if (type !== CLOSE) throw unexpected(data, begin, end);
  }

  #takeText(data: Buffer, begin: number, end: number): void {
    const { opening, heartbeat } = this.#dialect;
    const step = opening[this.#step];
    if (step !== undefined) {
      if (!data.toString('latin1', begin, end).startsWith(step.frame))
        throw unexpected(data, begin, end);
      this.#step += 1;
      const reply = replyTo(step);
      if (reply !== undefined) this.#socket.write(reply);
      if (this.#step === opening.length) this.#opened();
    } else if (end - begin === 1 && data[begin] === heartbeat?.frame.charCodeAt(0)) {
      this.#takeHeartbeat(replyTo(heartbeat));
    } else {
      this.inbox.take(data, begin, end);
    }
  }

  #takeHeartbeat(reply: Buffer | undefined): void {
    if (reply !== undefined) this.#socket.write(reply);
    this.#heartbeatArrived();
  }
}
