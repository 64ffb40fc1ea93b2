/** The port `WebSocketPort` on a socket of `node:net`: frames from and to its bytes, and the closing handshake. */
import type { Socket } from 'node:net';
import type { Backlog } from '../backlog.ts';
import type {
  WebSocketFault,
  WebSocketHandler,
  WebSocketListener,
  WebSocketPort,
} from '../http/exchange.ts';
import {
  type FrameListener,
  FrameReader,
  PING_FRAME,
  binaryFrame,
  closingFrame,
  pongFrame,
  textFrame,
} from './frames.ts';
import { Progress } from './progress.ts';

/** How long a client has to hang up after a close frame that it has earned, in milliseconds. */
const CLOSE_TIMEOUT = 2000;

/** Nobody said goodbye: RFC 6455, 7.4.1. */
const LOST = 1006;

/** The settings that concern WebSockets. */
export interface WebSocketSettings {
  readonly maxMessageBytes: number;
  readonly maxTotalBufferedBytes: number;
  readonly writeTimeout: number;
}

class NodeWebSocket implements WebSocketPort, FrameListener {
  readonly #stream: Socket;
  readonly #settings: WebSocketSettings;
  readonly #backlog: Backlog;
  readonly #reader: FrameReader;
  readonly #listener: WebSocketListener;
  #progress: Progress | undefined;
  /** How much of an incomplete message is counted in the backlog. */
  #counted = 0;
  /** A close frame has been written: nothing else may follow. */
  #isClosing = false;
  #timer: NodeJS.Timeout | undefined;
  #code = LOST;
  #reason = '';
  #fault: WebSocketFault | undefined;

  constructor(
    stream: Socket,
    settings: WebSocketSettings,
    backlog: Backlog,
    handler: WebSocketHandler,
  ) {
    this.#stream = stream;
    this.#settings = settings;
    this.#backlog = backlog;
    this.#reader = new FrameReader(settings.maxMessageBytes, this);
    this.#listener = handler(this);
  }

  // From the socket

  receive(chunk: Buffer): void {
    this.#reader.push(chunk);
    if (this.#reader.held !== this.#counted) this.#count();
  }

  drained(): void {
    this.#progress?.end();
    this.#listener.drained();
  }

  /** The client will send nothing more: without a close frame it is gone. */
  ended(): void {
    this.#stream.destroySoon();
  }

  closed(): void {
    clearTimeout(this.#timer);
    this.#backlog.add(-this.#counted);
    this.#progress?.end();
    this.#listener.closed(this.#code, this.#reason, this.#fault);
  }

  // From the client

  text(text: string): void {
    this.#listener.text(text);
  }

  binary(data: Buffer): void {
    this.#listener.binary(data);
  }

  /** A client that pings without end, and takes none of the answers, gets none. */
  ping(data?: Buffer): void {
    if (data === undefined) this.#write(PING_FRAME);
    else if (this.writable) this.#write(pongFrame(data));
  }

  closing(code: number, reason: string): void {
    this.#code = code;
    this.#reason = reason;
    if (!this.#isClosing) this.#say(code, reason);
    this.#stream.destroySoon();
  }

  fault(code: 1002 | 1007 | 1009): void {
    if (code === 1009) this.#fault = 'tooBig';
    this.#give(code);
  }

  // To the client

  get bufferedBytes(): number {
    return this.#stream.writableLength;
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
    this.#write(binaryFrame(data));
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  close(code: number, reason: string): void {
    if (!this.#isClosing) this.#say(code, reason);
  }

  abort(): void {
    this.#stream.uncork(); // What was written before still goes out, as far as the system takes it.
    this.#stream.destroy();
  }

  /** Ends it for a fault of the client, which may have more to send, and may not hang up. */
  #give(code: number): void {
    this.#code = code;
    if (!this.#isClosing) this.#say(code, '');
    this.#timer = setTimeout(() => this.#stream.destroy(), CLOSE_TIMEOUT);
  }

  #say(code: number, reason: string): void {
    this.#write(closingFrame(code, reason));
    this.#isClosing = true;
  }

  #write(frame: Buffer): void {
    if (this.#isClosing || this.#stream.destroyed) return;
    if (!this.#stream.write(frame)) this.#expectProgress();
  }

  #expectProgress(): void {
    const stalled = (): void => this.#listener.stalled();
    this.#progress ??= new Progress(this.#stream, this.#settings.writeTimeout, stalled);
    this.#progress.expect();
  }

  #count(): void {
    const { held } = this.#reader;
    this.#backlog.add(held - this.#counted);
    this.#counted = held;
    if (held === 0 || this.#backlog.bytes <= this.#settings.maxTotalBufferedBytes) return;
    this.#fault = 'noMemory';
    this.#reader.stop();
    this.#give(1013);
  }
}

declare module 'node:net' {
  interface Socket {
    [WEB_SOCKET]?: NodeWebSocket;
  }
}

const WEB_SOCKET = Symbol('WebSocket');

// Listeners that all sockets share: closures would cost each of them half a kilobyte.

function onData(this: Socket, chunk: Buffer): void {
  this[WEB_SOCKET]?.receive(chunk);
}

function onDrain(this: Socket): void {
  this[WEB_SOCKET]?.drained();
}

function onEnd(this: Socket): void {
  this[WEB_SOCKET]?.ended();
}

function onClose(this: Socket): void {
  this[WEB_SOCKET]?.closed();
}

/** Gives a socket that has shaken hands to its handler. */
export function serveWebSocket(
  stream: Socket,
  settings: WebSocketSettings,
  backlog: Backlog,
  handler: WebSocketHandler,
): void {
  stream[WEB_SOCKET] = new NodeWebSocket(stream, settings, backlog, handler);
  stream.on('data', onData);
  stream.on('drain', onDrain);
  stream.on('end', onEnd);
  stream.on('close', onClose);
}
