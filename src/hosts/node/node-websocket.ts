/** The port `WebSocketPort` on a socket of `node:net`: frames from and to its bytes, and the closing handshake. */
import type { Socket } from 'node:net';
import type { MemoryBudget } from '../../base/memory-budget.ts';
import type {
  WebSocketFault,
  WebSocketHandler,
  WebSocketListener,
  WebSocketPort,
} from '../../http/exchange.ts';
import { CLOSE_REASONS } from '../../base/close-reasons.ts';
import {
  PING_FRAME,
  encodeBinary,
  encodeClose,
  encodePingWithText,
  encodePong,
  encodeText,
} from '../../websocket/frame-encoder.ts';
import { type WsFrameListener, WsFrameParser } from '../../websocket/frame-parser.ts';
import { WriteWatchdog } from './write-watchdog.ts';

/** How long a client has to hang up after a close frame that it has earned, in milliseconds. */
const CLOSE_TIMEOUT = 2000;

/** Nobody said goodbye: RFC 6455, 7.4.1. */
const LOST = 1006;

/** By the code that the codec has for it. */
const FAULTS = { 1002: 'invalidFrame', 1007: 'invalidUtf8', 1009: 'messageTooLarge' } as const;

/** The settings that concern WebSockets. */
export interface WebSocketSettings {
  readonly maxMessageBytes: number;
  readonly maxTotalBufferedBytes: number;
  readonly highWaterMark: number;
  readonly bodyTimeout: number;
  readonly writeTimeout: number;
}

class NodeWebSocket implements WebSocketPort, WsFrameListener {
  readonly #stream: Socket;
  readonly #settings: WebSocketSettings;
  readonly #budget: MemoryBudget;
  readonly #reader: WsFrameParser;
  readonly #listener: WebSocketListener;
  #progress: WriteWatchdog | undefined;
  /** How much of an incomplete message is counted in the backlog. */
  #counted = 0;
  /** How many messages were complete when that was last looked at. */
  #messages = 0;
  /** When a message that is not complete has to be. */
  #late: NodeJS.Timeout | undefined;
  /** A close frame has been written: nothing else may follow. */
  #isClosing = false;
  #timer: NodeJS.Timeout | undefined;
  #code = LOST;
  #reason = '';

  constructor(
    stream: Socket,
    settings: WebSocketSettings,
    budget: MemoryBudget,
    handler: WebSocketHandler,
  ) {
    this.#stream = stream;
    this.#settings = settings;
    this.#budget = budget;
    this.#reader = new WsFrameParser(settings.maxMessageBytes, this);
    this.#listener = handler(this);
  }

  // From the socket

  receive(chunk: Buffer): void {
    this.#reader.push(chunk);
    if (this.#reader.bufferedBytes > 0 || this.#counted > 0) this.#count();
  }

  drained(): void {
    this.#progress?.end();
    this.#listener.drained();
  }

  /** The client will send nothing more: without a close frame it is gone. */
  ended(): void {
    this.#hangUp();
  }

  closed(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#late);
    this.#budget.add(-this.#counted);
    this.#progress?.end();
    this.#listener.closed(this.#code, this.#reason);
  }

  // From the client

  onText(text: string, bytes: number): void {
    this.#listener.text(text, bytes);
  }

  onBinary(data: Buffer): void {
    this.#listener.binary(data);
  }

  /** A client that pings without end, and takes none of the answers, gets none. */
  onPing(data: Buffer): void {
    if (this.writable) this.#write(encodePong(data));
  }

  onCloseFrame(code: number, reason: string): void {
    this.#code = code;
    this.#reason = reason;
    if (!this.#isClosing) this.#say(code, reason);
    this.#hangUp();
  }

  onError(code: keyof typeof FAULTS): void {
    this.refuse(FAULTS[code]);
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
    this.#write(encodeText(text));
  }

  ping(text?: string): void {
    this.#write(text === undefined ? PING_FRAME : encodePingWithText(text));
  }

  sendBinary(data: Uint8Array): void {
    this.#write(encodeBinary(data));
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

  /** It may have more to send, and may not hang up. */
  refuse(fault: WebSocketFault): void {
    if (this.#isClosing) return this.#cutOffSoon();
    const { code, reason } = CLOSE_REASONS[fault];
    this.#code = code;
    this.#reason = reason;
    this.#say(code, reason);
    this.#cutOffSoon();
    this.#listener.refused(fault);
  }

  abort(): void {
    this.#stream.uncork(); // What was written before still goes out, as far as the system takes it.
    this.#stream.destroy();
  }

  #cutOffSoon(): void {
    this.#timer ??= setTimeout(() => this.#stream.destroy(), CLOSE_TIMEOUT);
  }

  /** What waits goes out first, to a client that takes it. */
  #hangUp(): void {
    if (this.bufferedBytes > 0) this.#expectProgress();
    this.#stream.destroySoon();
  }

  #say(code: number, reason: string): void {
    this.#write(encodeClose(code, reason));
    this.#isClosing = true;
  }

  #write(frame: Buffer): void {
    if (this.#isClosing || !this.#stream.writable) return;
    if (!this.#stream.write(frame)) this.#expectProgress();
  }

  #expectProgress(): void {
    const stalled = (): void => this.#listener.stalled();
    this.#progress ??= new WriteWatchdog(this.#stream, this.#settings.writeTimeout, stalled);
    this.#progress.expect();
  }

  /** A message is, or was, not complete: what it takes is counted, and so is its time. */
  #count(): void {
    const { bufferedBytes: held, messages } = this.#reader;
    this.#budget.add(held - this.#counted);
    this.#counted = held;
    if (held === 0) {
      clearTimeout(this.#late);
      this.#late = undefined;
    } else if (this.#late === undefined) {
      this.#late = setTimeout(() => this.#tooSlow(), this.#settings.bodyTimeout);
    } else if (messages !== this.#messages) {
      this.#late.refresh();
    }
    this.#messages = messages;
    const { highWaterMark, maxTotalBufferedBytes } = this.#settings;
    if (held > highWaterMark && this.#budget.bytes > maxTotalBufferedBytes) {
      this.#refuseRest('memoryLimit');
    }
  }

  #tooSlow(): void {
    if (this.#stream.isPaused()) this.#late?.refresh(); // It is we who do not read.
    else this.#refuseRest('messageTimeout');
  }

  /** Nothing more of the message is kept. */
  #refuseRest(fault: WebSocketFault): void {
    this.#reader.stop();
    this.#count();
    this.refuse(fault);
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
  budget: MemoryBudget,
  handler: WebSocketHandler,
): void {
  stream[WEB_SOCKET] = new NodeWebSocket(stream, settings, budget, handler);
  stream.on('data', onData);
  stream.on('drain', onDrain);
  stream.on('end', onEnd);
  stream.on('close', onClose);
}
