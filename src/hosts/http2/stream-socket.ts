import type { ServerHttp2Stream } from 'node:http2';
import { listenToSocket } from '../node/socket-listener.ts';
import type { SocketListener } from '../node/websocket-stream.ts';
import { CANCEL, NO_ERROR } from './error-codes.ts';
import { resetStream } from './reset-stream.ts';
import { StreamOutput } from './stream-output.ts';
import type { UnreadInput } from './unread-input.ts';

/**
 * An HTTP/2 stream with the parts of a socket that a WebSocket needs: counters of its own bytes, and an end that resets
 * only the stream. It is no `Duplex`, since a second one for each WebSocket would double its memory and CPU time.
 */
export class StreamSocket extends StreamOutput implements SocketListener {
  #listener: SocketListener | undefined;
  readonly #unread: UnreadInput;
  #bytesRead = 0;

  /** @param unread input of the stream that waits for its reader */
  constructor(stream: ServerHttp2Stream, unread: UnreadInput) {
    super(stream, () => this.#listener?.onSocketDrain());
    this.#unread = unread;
  }

  /** Bytes received on this stream. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** Starts reading. */
  listen(listener: SocketListener): void {
    this.#listener = listener;
    listenToSocket(this.stream, this);
  }

  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    this.stream.resume();
  }

  isPaused(): boolean {
    return this.stream.isPaused();
  }

  destroy(): void {
    resetStream(this.stream, this.stream.writableFinished ? NO_ERROR : CANCEL);
  }

  /** Ends the stream, and resets it once the written bytes are sent. */
  destroySoon(): void {
    this.end();
    if (this.stream.writableFinished) this.destroy();
    else this.stream.once('finish', () => this.destroy());
  }

  onSocketData(chunk: Buffer): void {
    this.#bytesRead += chunk.length;
    this.#unread.onRead();
    this.#listener?.onSocketData(chunk);
  }

  /** Does nothing: the drain of the output is reported once its waiting bytes are sent too. */
  onSocketDrain(): void {}

  onSocketEnd(): void {
    this.#listener?.onSocketEnd();
  }

  onSocketClose(): void {
    this.#listener?.onSocketClose();
  }
}
