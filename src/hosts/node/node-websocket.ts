import type { Socket } from 'node:net';
import { CLOSE_REASONS } from '../../base/close-reasons.ts';
import { Deadline } from '../../base/deadline.ts';
import type { ClientMemory, MemoryReservation } from '../../base/memory-budget.ts';
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
} from '../../websocket/frame-encoder.ts';
import {
  type ParserErrorCode,
  type WsFrameListener,
  WsFrameParser,
} from '../../websocket/frame-parser.ts';
import { bytesRead, destroySoon } from './connection-stream.ts';
import { WriteWatchdog } from './write-watchdog.ts';

/** Time a misbehaving client has to close after our close frame. */
const CLOSE_TIMEOUT_MS = 2000;

/** Close code of a connection that was lost without a close frame: RFC 6455, section 7.4.1. */
const ABNORMAL_CLOSURE = 1006;

const PARSER_FAULTS = {
  1002: 'invalidFrame',
  1007: 'invalidUtf8',
  1009: 'messageTooLarge',
} as const satisfies Readonly<Record<ParserErrorCode, WebSocketFault>>;

/** Implements `WebSocketConnection` with a `net.Socket`: WebSocket frames, limits and the closing handshake. */
export class NodeWebSocket implements WebSocketConnection, WsFrameListener {
  readonly #socket: Socket;
  readonly #settings: HostSettings;
  readonly #memory: ClientMemory;
  readonly #parser: WsFrameParser;
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
  #code = ABNORMAL_CLOSURE;
  #reason = '';

  constructor(socket: Socket, settings: HostSettings, memory: ClientMemory) {
    this.#socket = socket;
    this.#settings = settings;
    this.#memory = memory;
    this.#parser = new WsFrameParser(settings.maxMessageBytes, this);
    socket[WEB_SOCKET] = this;
    socket.on('data', onData);
    socket.on('drain', onDrain);
    socket.on('end', onEnd);
    socket.on('close', onClose);
    socket.resume(); // The socket is paused if a decision was pending.
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  get writable(): boolean {
    return !this.#socket.writableNeedDrain;
  }

  get bytesReceived(): number {
    return bytesRead(this.#socket) ?? this.#bytesParsed;
  }

  listen(listener: WebSocketListener): void {
    this.#listener = listener;
  }

  sendText(text: string): void {
    this.#write(encodeText(text));
  }

  sendBinary(data: Uint8Array): void {
    this.#write(encodeBinary(data));
  }

  ping(text?: string): void {
    this.#write(text === undefined ? PING_FRAME : encodePingWithText(text));
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
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
      this.#sendClose(code, reason);
    }
    this.#socket.end();
    this.#closeDeadline ??= new Deadline(CLOSE_TIMEOUT_MS, () => this.#socket.destroy());
    if (isFirst) this.#listener?.onFault(fault);
  }

  abort(): void {
    this.#socket.uncork(); // Sends the written bytes that the system takes at once.
    this.#socket.destroy();
  }

  // Events of the socket

  onSocketData(chunk: Buffer): void {
    this.#bytesParsed += chunk.length;
    this.#parser.push(chunk);
    if (this.#parser.bufferedBytes > 0 || this.#reservation !== undefined) this.#countIncomplete();
  }

  onSocketDrain(): void {
    this.#watchdog?.stop();
    this.#listener?.onDrain();
  }

  /** Closes the socket, since no close frame can follow. */
  onSocketEnd(): void {
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

  /** Sends no pong to a client that does not read, so that pings cannot fill its buffer. */
  onPing(data: Buffer): void {
    if (this.writable) this.#write(encodePong(data));
  }

  onCloseFrame(code: number, reason: string): void {
    this.#code = code;
    this.#reason = reason;
    if (!this.#isClosing) this.#sendClose(code, reason);
    this.#endSocket();
  }

  onError(code: ParserErrorCode): void {
    this.fail(PARSER_FAULTS[code]);
  }

  /** Closes the socket once the buffered bytes are sent. */
  #endSocket(): void {
    if (this.bufferedBytes > 0) this.#watchProgress();
    destroySoon(this.#socket);
  }

  #sendClose(code: number, reason: string): void {
    this.#write(encodeClose(code, reason));
    this.#isClosing = true;
  }

  #write(wsFrame: Buffer): void {
    if (this.#isClosing || !this.#socket.writable) return;
    if (!this.#socket.write(wsFrame)) this.#watchProgress();
  }

  #watchProgress(): void {
    this.#watchdog ??= new WriteWatchdog(this.#socket, this.#settings.writeTimeout, () => {
      this.#listener?.onWriteTimeout();
    });
    this.#watchdog.start();
  }

  /** Counts the bytes of an incomplete message in the budget, and limits its time. */
  #countIncomplete(): void {
    const { bufferedBytes, messages } = this.#parser;
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
    // A paused socket is a delay of the server, not of the client.
    if (this.#socket.isPaused()) this.#messageDeadline?.restart();
    else this.#failIncomplete('messageTimeout');
  }

  #failIncomplete(fault: WebSocketFault): void {
    this.#parser.stop();
    this.#releaseIncomplete();
    this.fail(fault);
  }
}

declare module 'node:net' {
  interface Socket {
    [WEB_SOCKET]?: NodeWebSocket;
  }
}

const WEB_SOCKET = Symbol('NodeWebSocket');

// All sockets share these listeners. Closures would take half a kilobyte for each socket.

function onData(this: Socket, chunk: Buffer): void {
  this[WEB_SOCKET]?.onSocketData(chunk);
}

function onDrain(this: Socket): void {
  this[WEB_SOCKET]?.onSocketDrain();
}

function onEnd(this: Socket): void {
  this[WEB_SOCKET]?.onSocketEnd();
}

function onClose(this: Socket): void {
  this[WEB_SOCKET]?.onSocketClose();
}
