import { CLOSE_REASONS } from '../../base/close-reasons.ts';
import { Deadline } from '../../base/deadline.ts';
import type { Payload } from '../../base/payload.ts';
import type { HostSettings } from '../../http/exchange.ts';
import type {
  WebSocketConnection,
  WebSocketFault,
  WebSocketListener,
} from '../../http/websocket-connection.ts';
import type { Inbox } from './inbox.ts';
import { payloadText } from './memory-exchange.ts';
import { later } from './real-time.ts';
import type { Wire } from './wire.ts';

/** Close code of a connection that was lost without a close frame. */
const ABNORMAL_CLOSURE = 1006;
/** Length of the frame of a pong without data. */
const PONG_BYTES = 6;

/** Both ends of a WebSocket in memory. */
export class MemoryWebSocket implements WebSocketConnection, Wire {
  bufferedBytes = 0;
  bytesReceived = 0;
  readonly #inbox: Inbox<string | Uint8Array>;
  readonly #isRaw: boolean;
  readonly #settings: HostSettings;
  #listener: WebSocketListener | undefined;
  /** `closing`: the server has sent a close frame. */
  #state: 'open' | 'closing' | 'closed' = 'open';
  #isClientPaused = false;
  #isServerPaused = false;
  /** Runs while the client is paused. */
  #writeDeadline: Deadline | undefined;
  /** Output that the paused client has not read. */
  readonly #output: (() => void)[] = [];
  /** Input that the paused server has not read. */
  readonly #input: (() => void)[] = [];

  /** @param isRaw without SockJS frames */
  constructor(inbox: Inbox<string | Uint8Array>, isRaw: boolean, settings: HostSettings) {
    this.#inbox = inbox;
    this.#isRaw = isRaw;
    this.#settings = settings;
  }

  // The server's side

  get writable(): boolean {
    return this.#state === 'open' && !this.#isClientPaused;
  }

  listen(listener: WebSocketListener): void {
    this.#listener = listener;
  }

  sendText(payload: Payload): void {
    const text = payloadText(payload);
    this.#write(Buffer.byteLength(text), () => {
      if (this.#isRaw) this.#inbox.push(text.toWellFormed()); // As UTF-8 carries it.
      else this.#inbox.readFrame(text);
    });
  }

  sendBinary(data: Uint8Array): void {
    const copy = Uint8Array.from(data);
    this.#write(copy.length, () => this.#inbox.push(copy));
  }

  ping(): void {
    this.#write(0, () => {
      this.#inbox.heartbeats += 1;
      this.bytesReceived += PONG_BYTES;
    });
  }

  /** Messages are delivered at once. */
  cork(): void {}

  uncork(): void {}

  pause(): void {
    this.#isServerPaused = true;
  }

  resume(): void {
    this.#isServerPaused = false;
    while (!this.#isServerPaused) {
      const read = this.#input.shift();
      if (read === undefined) return;
      read();
    }
  }

  close(code: number, reason: string): void {
    if (this.#state !== 'open') return;
    this.#write(0, () => this.#end(code, reason));
    if (this.#state === 'open') this.#state = 'closing';
  }

  fail(fault: WebSocketFault): void {
    if (this.#state !== 'open') return;
    const { code, reason } = CLOSE_REASONS[fault];
    this.#listener?.onClosing();
    this.close(code, reason);
    this.#listener?.onFault(fault);
  }

  abort(): void {
    this.#end(ABNORMAL_CLOSURE, '');
  }

  // The client's side

  sendMessage(message: string | Uint8Array): Promise<void> {
    this.#send(() => this.#receive(message));
    return Promise.resolve();
  }

  closeByClient(code: number, reason: string): boolean {
    this.#send(() => {
      this.#listener?.onClosing();
      this.#end(code, reason);
    });
    return true;
  }

  abortByClient(): boolean {
    this.#end(ABNORMAL_CLOSURE, '');
    return true;
  }

  stopReading(): void {
    this.#isClientPaused = true;
    this.#writeDeadline ??= new Deadline(this.#settings.writeTimeout, () => {
      this.#listener?.onWriteTimeout();
    });
  }

  startReading(): void {
    this.#isClientPaused = false;
    this.#stopDeadline();
    this.bufferedBytes = 0;
    for (const read of this.#output.splice(0)) read();
    if (this.#state === 'open') this.#listener?.onDrain();
  }

  #stopDeadline(): void {
    this.#writeDeadline?.clear();
    this.#writeDeadline = undefined;
  }

  #send(read: () => void): void {
    if (this.#isServerPaused) this.#input.push(read);
    else read();
  }

  #receive(message: string | Uint8Array): void {
    if (this.#state !== 'open') return;
    const isText = typeof message === 'string';
    const data = isText ? this.#encodeText(message) : message;
    const length = typeof data === 'string' ? Buffer.byteLength(data) : data.length;
    this.bytesReceived += length;
    if (length > this.#settings.maxMessageBytes) this.fail('messageTooLarge');
    else if (typeof data === 'string') this.#listener?.onText(data, length);
    else this.#listener?.onBinary(data);
  }

  #encodeText(message: string): string {
    return this.#isRaw ? message.toWellFormed() : JSON.stringify([message]);
  }

  #write(bytes: number, read: () => void): void {
    if (this.#state !== 'open') return;
    if (this.#isClientPaused) {
      this.bufferedBytes += bytes;
      this.#output.push(read);
    } else {
      read();
    }
  }

  /** Closes both sides. The server is called back later, as by a socket. */
  #end(code: number, reason: string): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#stopDeadline();
    this.#output.length = 0;
    this.#input.length = 0;
    this.bufferedBytes = 0;
    this.#inbox.close(code, reason);
    later(() => this.#listener?.onClosed(code, reason));
  }
}
