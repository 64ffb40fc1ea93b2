/** The port `WebSocketPort` on a socket of `ws`. */
import type { Socket } from 'node:net';
import type { RawData, WebSocket } from 'ws';
import type { WebSocketFault, WebSocketHandler, WebSocketPort } from '../http/exchange.ts';
import { Progress } from './progress.ts';

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

const PING = Buffer.from([0x89, 0]);
const BINARY = { binary: true, compress: false };

class NodeWebSocket implements WebSocketPort {
  readonly #socket: WebSocket;
  readonly #stream: Socket;
  readonly #progress: Progress;

  constructor(socket: WebSocket, stream: Socket, progress: Progress) {
    this.#socket = socket;
    this.#stream = stream;
    this.#progress = progress;
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  get writable(): boolean {
    return !this.#stream.writableNeedDrain;
  }

  get bytesReceived(): number {
    return this.#stream.bytesRead;
  }

  sendText(text: string): void {
    this.#write(textFrame(text));
  }

  sendBinary(data: Uint8Array): void {
    this.#socket.send(data, BINARY, ignore);
    if (!this.writable) this.#progress.expect();
  }

  ping(): void {
    this.#write(PING);
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

  // Written past the sender of `ws`, which would hand header and payload to the system apart. Its
  // control frames may come between ours: without compression nothing of it is ever under way.
  #write(frame: Buffer): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (!this.#stream.write(frame)) this.#progress.expect();
  }
}

/** What `ws` says when a message is over a limit of ours. */
const TOO_BIG = new Set([
  'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH',
  'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH',
  'WS_ERR_TOO_MANY_BUFFERED_PARTS',
]);

/** Gives an open socket to its handler. */
export function serveWebSocket(
  socket: WebSocket,
  stream: Socket,
  writeTimeout: number,
  handler: WebSocketHandler,
): void {
  let fault: WebSocketFault | undefined;
  // Followed by 'close', with the code that tells what was wrong.
  socket.on('error', (error) => {
    if ('code' in error && TOO_BIG.has(String(error.code))) fault = 'tooBig';
  });
  const progress = new Progress(stream, writeTimeout, () => listener.stalled());
  const listener = handler(new NodeWebSocket(socket, stream, progress));
  socket.on('message', (data: RawData, isBinary: boolean) => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- binaryType is 'nodebuffer'
    const bytes = data as Buffer;
    if (isBinary) listener.binary(bytes);
    else listener.text(bytes.toString('utf8'));
  });
  // A client that pings without end, and takes none of the answers, gets none.
  socket.on('ping', (data) => {
    if (!stream.writableNeedDrain) socket.pong(data, false, ignore);
  });
  socket.on('close', (code, reason) => listener.closed(code, reason.toString('utf8'), fault));
  stream.on('drain', () => {
    progress.made();
    listener.drained();
  });
}
