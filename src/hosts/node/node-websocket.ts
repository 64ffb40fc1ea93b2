import { CLOSE_REASONS } from '../../base/close-reasons.ts';
import { Deadline } from '../../base/deadline.ts';
import type { ClientMemory, MemoryReservation } from '../../base/memory-budget.ts';
import { type Payload, payloadLength } from '../../base/payload.ts';
import type { HostSettings } from '../../http/exchange.ts';
import type {
  WebSocketConnection,
  WebSocketFault,
  WebSocketListener,
} from '../../http/websocket-connection.ts';
import {
  PING_FRAME,
  encodeBinary,
  encodeClose,
  encodePingWithText,
  encodePong,
  encodeText,
  encodeTextHead,
} from '../../websocket/frame-encoder.ts';
import {
  type ParserFault,
  type WsFrameListener,
  WsFrameParser,
} from '../../websocket/frame-parser.ts';
import { type UnderlyingStream, bytesRead, destroySoon } from './connection-stream.ts';
import { listenToSocket } from './socket-listener.ts';
import type { SocketListener } from './websocket-stream.ts';
import { WriteWatchdog } from './write-watchdog.ts';

/** Time a misbehaving client has to close after our close frame. */
const CLOSE_TIMEOUT_MS = 2000;

/** Close code of a connection that was lost without a close frame: RFC 6455, section 7.4.1. */
const ABNORMAL_CLOSURE = 1006;

/**
 * Implements `WebSocketConnection` with a socket or another stream: WebSocket frames, limits and the closing handshake.
 * Without compression, which a subclass adds.
 */
export class NodeWebSocket implements WebSocketConnection, WsFrameListener, SocketListener {
  /** For code that knows the host. */
  readonly socket: UnderlyingStream;
  protected readonly parser: WsFrameParser;
  readonly #settings: HostSettings;
  readonly #memory: ClientMemory;
  #listener: WebSocketListener | undefined;
  #watchdog: WriteWatchdog | undefined;
  #bytesParsed = 0;
  /** Set while a message is incomplete. */
  #reservation: MemoryReservation | undefined;
  /** Number of complete messages when the message timer was last set. */
  #countedMessages = 0;
  /** Runs while a message is incomplete. */
  #messageDeadline: Deadline | undefined;
  /** True once a close frame was sent. No frame may follow it. */
  #isClosing = false;
  #closeDeadline: Deadline | undefined;
  /** Payload of the last ping of the current chunk. */
  #ping: Buffer | undefined;
  #countedFrames = 0;
  #code = ABNORMAL_CLOSURE;
  #reason = '';

  /** @param allowsCompression whether the client may send compressed messages */
  constructor(
    socket: UnderlyingStream,
    settings: HostSettings,
    memory: ClientMemory,
    allowsCompression = false,
  ) {
    this.socket = socket;
    this.#settings = settings;
    this.#memory = memory;
    this.parser = new WsFrameParser(settings.maxMessageBytes, this, allowsCompression);
    listenToSocket(socket, this);
    socket.resume(); // The socket is paused if a decision was pending.
  }

  get bufferedBytes(): number {
    return this.socket.writableLength;
  }

  get writable(): boolean {
    return !this.#isClosing && !this.socket.writableNeedDrain;
  }

  get bytesReceived(): number | undefined {
    return bytesRead(this.socket) ?? this.#bytesParsed;
  }

  listen(listener: WebSocketListener): void {
    this.#listener = listener;
  }

  sendText(text: Payload): void {
    if (typeof text === 'string') return this.write(encodeText(text));
    this.socket.cork();
    this.write(encodeTextHead(payloadLength(text)));
    for (const piece of text) this.write(piece);
    this.socket.uncork();
  }

  sendBinary(data: Uint8Array): void {
    this.write(encodeBinary(data));
  }

  ping(text?: string): void {
    this.write(text === undefined ? PING_FRAME : encodePingWithText(text));
  }

  cork(): void {
    this.socket.cork();
  }

  uncork(): void {
    this.socket.uncork();
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  close(code: number, reason: string): void {
    if (!this.#isClosing) this.#sendClose(code, reason);
  }

  /**
   * Ends the server's side after the close frame, since no close frame of the client may follow a fault. The socket is
   * read until the client ends its side too: unread bytes would cause a reset, which could overtake the close frame.
   */
  fail(fault: WebSocketFault): void {
    const isFirst = !this.#isClosing;
    const { code, reason } = CLOSE_REASONS[fault];
    if (isFirst) {
      this.#code = code;
      this.#reason = reason;
      this.#finishWriting();
      this.#sendClose(code, reason);
    }
    this.socket.end();
    this.#closeDeadline ??= new Deadline(CLOSE_TIMEOUT_MS, () => this.socket.destroy());
    if (isFirst) this.#listener?.onFault(fault);
  }

  abort(): void {
    this.socket.uncork(); // Sends the written bytes that the system takes at once.
    this.socket.destroy();
  }

  // Events of the socket

  onSocketData(chunk: Buffer): void {
    this.#bytesParsed += chunk.length;
    this.parser.push(chunk);
    this.countInput();
  }

  /** Counts what the parser has read, in the rate limit and the memory budget. */
  protected countInput(): void {
    if (this.parser.framesWithoutMessage !== this.#countedFrames) this.#countFrames();
    if (this.parser.bufferedBytes > 0 || this.#reservation !== undefined) this.#countIncomplete();
  }

  onSocketDrain(): void {
    this.#watchdog?.stop();
    this.#listener?.onDrain();
  }

  /** Closes the socket, since no close frame can follow. */
  onSocketEnd(): void {
    this.#finishWriting();
    this.#endSocket();
  }

  onSocketClose(): void {
    this.#closeDeadline?.clear();
    this.#releaseIncomplete();
    this.#watchdog?.stop();
    this.#listener?.onClosed(this.#code, this.#reason);
  }

  // Events of the parser

  onText(text: string, byteLength: number): void {
    this.#listener?.onText(text, byteLength);
  }

  onBinary(data: Buffer): void {
    this.#listener?.onBinary(data);
  }

  /** Remembers only the last ping of a chunk, which is enough to respond to. RFC 6455, section 5.5.3. */
  onPing(data: Buffer): void {
    this.#ping = data;
  }

  onCloseFrame(code: number, reason: string): void {
    this.#code = code;
    this.#reason = reason;
    this.#finishWriting();
    if (!this.#isClosing) this.#sendClose(code, reason);
    this.#endSocket();
  }

  onError(fault: ParserFault): void {
    this.fail(fault);
  }

  #countFrames(): void {
    const { framesWithoutMessage } = this.parser;
    const count = framesWithoutMessage - this.#countedFrames;
    this.#countedFrames = framesWithoutMessage;
    // The replies to the messages of the chunk are in the same write.
    this.socket.cork();
    this.#sendPong();
    queueMicrotask(() => this.socket.uncork());
    this.#listener?.onFrames(count);
  }

  /** Sends no pong to a client that does not read, so that pings cannot fill its buffer. */
  #sendPong(): void {
    const ping = this.#ping;
    this.#ping = undefined;
    if (ping !== undefined && this.writable) this.write(encodePong(ping));
  }

  /** Sends what the application has sent until now, since nothing may follow a close frame. */
  #finishWriting(): void {
    if (this.#isClosing) return;
    this.#sendPong();
    this.#listener?.onClosing();
  }

  /** Closes the socket once the buffered bytes are sent. */
  #endSocket(): void {
    this.#isClosing = true;
    if (this.bufferedBytes > 0) this.#watchProgress();
    destroySoon(this.socket);
  }

  #sendClose(code: number, reason: string): void {
    this.write(encodeClose(code, reason));
    this.#isClosing = true;
  }

  protected write(bytes: Buffer): void {
    if (this.#isClosing || !this.socket.writable) return;
    if (!this.socket.write(bytes)) this.#watchProgress();
  }

  #watchProgress(): void {
    this.#watchdog ??= new WriteWatchdog(this.socket, this.#settings, () => {
      this.#listener?.onWriteTimeout();
    });
    this.#watchdog.start();
  }

  /** Counts the bytes of an incomplete message in the budget, and limits its time. */
  #countIncomplete(): void {
    const { bufferedBytes, messages } = this.parser;
    if (bufferedBytes === 0) return this.#releaseIncomplete();
    if (this.#messageDeadline === undefined) {
      const { bodyTimeout } = this.#settings;
      this.#messageDeadline = new Deadline(bodyTimeout, () => this.#onMessageTimeout());
    } else if (messages !== this.#countedMessages) {
      this.#messageDeadline.restart();
    }
    this.#countedMessages = messages;
    const onEvicted = (): void => this.#failIncomplete('memoryLimit');
    this.#reservation ??= this.#memory.reserve('messages', onEvicted);
    if (!this.#reservation.resize(bufferedBytes)) this.#failIncomplete('memoryLimit');
  }

  #releaseIncomplete(): void {
    this.#messageDeadline?.clear();
    this.#messageDeadline = undefined;
    this.#reservation?.release();
    this.#reservation = undefined;
  }

  #onMessageTimeout(): void {
    // A paused socket or parser is a delay of the server, not of the client.
    if (this.socket.isPaused() || this.parser.isWaiting) this.#messageDeadline?.restart();
    else this.#failIncomplete('messageTimeout');
  }

  #failIncomplete(fault: WebSocketFault): void {
    this.parser.stop();
    this.#releaseIncomplete();
    this.fail(fault);
  }
}
