/** A WebSocket with permessage-deflate: RFC 7692. */
import type { ClientMemory } from '../../base/memory-budget.ts';
import type { Payload } from '../../base/payload.ts';
import type { HostSettings } from '../../http/exchange.ts';
import type { WebSocketFault } from '../../http/websocket-connection.ts';
import { FlushQueue, type Flushable } from '../../sessions/flush-queue.ts';
import {
  MAX_COMPRESSED_BYTES,
  compressBinary,
  compressLongText,
  compressText,
} from '../../websocket/message-compressor.ts';
import type { UnderlyingStream } from './connection-stream.ts';
import { NodeWebSocket } from './node-websocket.ts';

/** Bytes of a long message whose compression takes as long as the fixed part of each message. */
const MESSAGE_COST_BYTES = 4096;
/** Time from which a compressed message counts as long. */
const LONG_MS = 1;

/**
 * Inflates the messages of all clients in turn, for 10 ms of each turn of the event loop. An error is thrown, as it would
 * be in a listener of the socket: it can only be one of this library.
 */
const INFLATE_QUEUE = new FlushQueue(true, (error) => {
  throw error;
});

/**
 * Adds compression to `NodeWebSocket`. A few bytes can expand to a message of `maxMessageBytes`. The messages of a chunk
 * are therefore inflated one by one, in turn with those of other clients. A client with a long message then waits as
 * long as the message has taken, so that no client can take more than half of the event loop.
 */
export class CompressedWebSocket extends NodeWebSocket implements Flushable {
  /** Makes each message wait for its slice of a turn. */
  readonly hasLongQueue = true;
  readonly #threshold: number;
  /** Cost of the messages since `cork`, which are compressed in one turn. */
  #corkedBytes: number | undefined;
  /** True while the listener accepts no input. */
  #isInputDelayed = false;
  #isQueued = false;
  /** Runs while the client waits after a long message. */
  #timer: NodeJS.Timeout | undefined;
  /** True if the client has ended its side, and input before that waits. */
  #hasEnded = false;

  /** @param threshold length in bytes from which messages are compressed */
  constructor(
    socket: UnderlyingStream,
    settings: HostSettings,
    memory: ClientMemory,
    threshold: number,
  ) {
    super(socket, settings, memory, true);
    this.#threshold = threshold;
  }

  /** Undefined while the socket may not be read, so that the client cannot show that it is connected. */
  override get bytesReceived(): number | undefined {
    return this.parser.isWaiting ? undefined : super.bytesReceived;
  }

  override sendText(text: Payload): void {
    const frame = typeof text === 'string' ? this.#compressShort(text) : this.#compressLong(text);
    if (frame === undefined) super.sendText(text);
    else this.write(frame);
  }

  override sendBinary(data: Uint8Array): void {
    const frame = this.#mayCompress(data.length) ? compressBinary(data) : undefined;
    if (frame === undefined) super.sendBinary(data);
    else this.write(frame);
  }

  override cork(): void {
    this.#corkedBytes = 0;
    super.cork();
  }

  override uncork(): void {
    this.#corkedBytes = undefined;
    super.uncork();
  }

  override pause(): void {
    this.#isInputDelayed = true;
    super.pause();
  }

  override resume(): void {
    this.#isInputDelayed = false;
    this.#proceed();
  }

  /** Drops the input that waits, since inflating it would only take time. */
  override fail(fault: WebSocketFault): void {
    super.fail(fault);
    this.parser.stop();
  }

  override onSocketData(chunk: Buffer): void {
    if (this.parser.isWaiting) this.socket.pause(); // Until then, a pause would cost more than it saves.
    super.onSocketData(chunk);
    this.#proceed();
  }

  override onSocketEnd(): void {
    if (this.parser.isWaiting) this.#hasEnded = true;
    else super.onSocketEnd();
  }

  override onSocketClose(): void {
    clearTimeout(this.#timer);
    this.parser.stop();
    super.onSocketClose();
  }

  /** The socket is paused once it has more input. */
  postpone(): void {}

  /** Inflates one message. */
  flush(): void {
    this.#isQueued = false;
    if (this.#isInputDelayed) return;
    const start = performance.now();
    this.parser.resume();
    this.countInput();
    const time = performance.now() - start;
    if (time > LONG_MS) this.#timer = setTimeout(this.#endWait, time);
    this.#proceed();
  }

  readonly #endWait = (): void => {
    this.#timer = undefined;
    this.#proceed();
  };

  /** Goes on with the input as soon as nothing delays it. */
  #proceed(): void {
    if (this.#isInputDelayed || this.#timer !== undefined || this.#isQueued) return;
    if (this.parser.isWaiting) {
      this.#isQueued = true;
      INFLATE_QUEUE.add(this);
    } else if (this.#hasEnded) {
      this.#hasEnded = false;
      super.onSocketEnd();
    } else if (this.socket.isPaused()) {
      this.socket.resume();
    }
  }

  #compressShort(text: string): Buffer | undefined {
    // Each character takes at least one byte, so the length of a long text need not be measured for each client.
    const length = text.length < this.#threshold ? Buffer.byteLength(text) : text.length;
    return this.#mayCompress(length) ? compressText(text) : undefined;
  }

  #compressLong(pieces: readonly Buffer[]): Buffer | undefined {
    const [bytes] = pieces;
    if (bytes === undefined || pieces.length > 1 || !this.#mayCompress(bytes.length))
      return undefined;
    return compressLongText(bytes);
  }

  /** Limits the time of compressing the messages of one frame, which a raw WebSocket sends without a break. */
  #mayCompress(length: number): boolean {
    if (length < this.#threshold) return false;
    if (this.#corkedBytes === undefined) return true;
    this.#corkedBytes += length + MESSAGE_COST_BYTES;
    return this.#corkedBytes <= MAX_COMPRESSED_BYTES;
  }
}
