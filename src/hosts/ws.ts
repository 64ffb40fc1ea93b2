/** The port `WebSocketPort` on a socket of `ws`. */
import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import type { WebSocketHandler, WebSocketListener, WebSocketPort } from '../http/exchange.ts';

function ignore(): void {}

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
    this.#socket.send(text, TEXT, ignore);
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

const TEXT = { binary: false, compress: false };
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
