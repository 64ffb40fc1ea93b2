/** The port `WebSocketPort` on a socket of `ws`. */
import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import type { WebSocketHandler, WebSocketListener, WebSocketPort } from '../http/exchange.ts';

function ignore(): void {}

const FINAL_TEXT = 0x81;
const LONGEST_REMEMBERED = 64 * 1024;
let lastText: string | undefined;
let lastFrame: Buffer = Buffer.alloc(0);

/** The head of an unmasked frame, RFC 6455, 5.2, with room for its payload. */
function frameFor(length: number): Buffer {
  const size = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(size + length);
  frame[0] = FINAL_TEXT;
  if (size === 2) {
    frame[1] = length;
  } else if (size === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeUInt32BE(0, 2);
    frame.writeUInt32BE(length, 6);
  }
  return frame;
}

/** One text as one buffer, ready for any socket; in a broadcast all of them get the same. */
function textFrame(text: string): Buffer {
  if (text === lastText) return lastFrame;
  const length = Buffer.byteLength(text);
  const frame = frameFor(length);
  frame.write(text, frame.length - length, 'utf8');
  lastText = length <= LONGEST_REMEMBERED ? text : undefined;
  lastFrame = frame;
  return frame;
}

class NodeWebSocket implements WebSocketPort {
  readonly #socket: WebSocket;
  readonly #stream: Duplex;

  constructor(socket: WebSocket, stream: Duplex) {
    this.#socket = socket;
    this.#stream = stream;
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  get writable(): boolean {
    return !this.#stream.writableNeedDrain;
  }

  sendText(text: string): void {
    // Written past the sender of `ws`, which would hand header and payload to the system apart. Its
    // control frames may come between ours: without compression nothing of it is ever under way.
    if (this.#socket.readyState === this.#socket.OPEN) this.#stream.write(textFrame(text));
  }

  sendBinary(data: Uint8Array): void {
    this.#socket.send(data, BINARY, ignore);
  }

  ping(): void {
    this.#socket.ping(undefined, false, ignore);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  abort(): void {
    this.#socket.terminate();
  }
}

const BINARY = { binary: true, compress: false };

function listen(socket: WebSocket, stream: Duplex, listener: WebSocketListener): void {
  socket.on('message', (data: RawData, isBinary: boolean) => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- binaryType is 'nodebuffer'
    const bytes = data as Buffer;
    if (isBinary) listener.binary(bytes);
    else listener.text(bytes.toString('utf8'));
  });
  socket.on('close', (code, reason) => listener.closed(code, reason.toString('utf8')));
  stream.on('drain', () => listener.drained());
}

/** Gives an open socket to its handler. */
export function serveWebSocket(socket: WebSocket, stream: Duplex, handler: WebSocketHandler): void {
  socket.on('error', ignore); // Followed by 'close', with the code that tells what was wrong.
  listen(socket, stream, handler(new NodeWebSocket(socket, stream)));
}
