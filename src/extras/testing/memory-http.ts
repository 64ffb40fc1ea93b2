import { randomUUID } from 'node:crypto';
import type { ExchangeHandler } from '../../http/exchange.ts';
import {
  CLIENT_TRANSPORTS,
  type ClientTransport,
  type HttpTransportName,
} from './http-transports.ts';
import type { Inbox } from './inbox.ts';
import { MemoryExchange, type RequestOrigin } from './memory-exchange.ts';
import { later } from './real-time.ts';
import type { Wire } from './wire.ts';

export interface MemoryHttpOptions {
  readonly handler: ExchangeHandler;
  readonly origin: RequestOrigin;
  readonly query: string;
  readonly transport: HttpTransportName;
  readonly inbox: Inbox<string>;
  /** Called when the first request has opened the session. */
  readonly onSession: (wire: Wire) => void;
  readonly onRefused: (status: number, body: string) => void;
}

/** The requests of one session of an HTTP transport: a pending one that receives, and those that send. */
export class MemoryHttp implements Wire {
  readonly #options: MemoryHttpOptions;
  readonly #transport: ClientTransport;
  readonly #path = `/000/${randomUUID()}/`;
  #receiving: MemoryExchange | undefined;
  #isOpened = false;
  #isPaused = false;
  /** The sending request before, since the next one waits for its response. */
  #sending: Promise<unknown> = Promise.resolve();

  constructor(options: MemoryHttpOptions) {
    this.#options = options;
    this.#transport = CLIENT_TRANSPORTS[options.transport];
  }

  /** Sends the next receiving request. The first one opens the session. */
  receive(): void {
    const { handler, inbox, origin, transport } = this.#options;
    const { method } = this.#transport;
    const query = [this.#options.query, this.#transport.query].filter(Boolean).join('&');
    let body = '';
    const exchange = new MemoryExchange(
      { origin, method, path: this.#path + transport, query },
      {
        onServed: () => this.#onServed(),
        onText: (text) => {
          if (!this.#isOpened) body += text;
          else for (const frame of this.#transport.decode(text)) inbox.readFrame(frame);
        },
        onEnd: (status) => this.#onEnd(status, body),
        onLost: () => this.#onLost(),
      },
    );
    this.#receiving = exchange;
    handler.handle(exchange);
  }

  sendMessage(message: string): Promise<void> {
    const sent = this.#sending.then(() => this.#post(JSON.stringify([message])));
    this.#sending = sent.catch(() => {});
    return sent;
  }

  /** HTTP has no close frame. The client ends its receiving request. */
  closeByClient(code: number, reason: string): boolean {
    this.#options.inbox.close(code, reason);
    const exchange = this.#receiving;
    this.#receiving = undefined;
    exchange?.disconnect();
    return exchange !== undefined;
  }

  abortByClient(): boolean {
    return this.closeByClient(1006, '');
  }

  stopReading(): void {
    this.#isPaused = true;
    if (this.#isStreaming) this.#receiving?.pause(this.#options.handler.settings.writeTimeout);
  }

  startReading(): void {
    this.#isPaused = false;
    if (this.#receiving === undefined) this.receive();
    else if (this.#isStreaming) this.#receiving.resume();
  }

  /** The response of a poll fits into the buffers of a client that does not read it. */
  get #isStreaming(): boolean {
    const { transport } = this.#options;
    return transport !== 'xhr' && transport !== 'jsonp';
  }

  #onServed(): void {
    if (this.#isOpened) return;
    this.#isOpened = true;
    this.#options.onSession(this);
  }

  #onEnd(status: number, body: string): void {
    const { inbox, onRefused } = this.#options;
    this.#receiving = undefined;
    if (!this.#isOpened) return onRefused(status, body);
    if (status !== 200) return inbox.close(1006, `A request was refused with ${status}`);
    later(() => {
      if (inbox.closeStatus === undefined && !this.#isPaused) this.receive();
    });
    return undefined;
  }

  #onLost(): void {
    this.#receiving = undefined;
    if (this.#isOpened) this.#options.inbox.close(1006, '');
    else this.#options.onRefused(500, 'The request was aborted.');
  }

  #post(body: string): Promise<void> {
    const { handler, origin } = this.#options;
    const path = this.#path + this.#transport.sender;
    const rawHeaders = [...origin.rawHeaders, 'Content-Type', 'text/plain'];
    return new Promise((resolve, reject) => {
      let text = '';
      const exchange = new MemoryExchange(
        { origin: { ...origin, rawHeaders }, method: 'POST', path, query: '', body },
        {
          onText: (chunk) => {
            text += chunk;
          },
          onEnd: (status) => {
            if (status < 300) resolve();
            else reject(new Error(`The server has refused the message with ${status}: ${text}`));
          },
          onLost: () => reject(new Error('The server has aborted the request of the message.')),
        },
      );
      handler.handle(exchange);
    });
  }
}
