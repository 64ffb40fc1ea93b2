/** The real `sockjs-client`, with promises instead of events. */
import assert from 'node:assert/strict';
import SockJS from 'sockjs-client';
import { AsyncQueue } from './async-queue.ts';
import type { TestScope } from './scope.ts';
import { type WaitOptions, within } from './until.ts';

/** Transports that the client has outside a browser, in the order in which it tries them. */
export const CLIENT_TRANSPORTS = [
  'websocket',
  'xhr-streaming',
  'eventsource',
  'xhr-polling',
] as const;
export type ClientTransportName = (typeof CLIENT_TRANSPORTS)[number];

/** The client allows 0.6 s if `/info` was fast, and then gives up the only transport of a test. */
const OPEN_TIMEOUT_MS = 5000;

export interface OfficialClientOptions {
  readonly transports?: ClientTransportName | ClientTransportName[];
  /** The server part of session URLs. */
  readonly server?: string;
  readonly sessionId?: () => string;
  /** Minimum time that the client allows for opening, in milliseconds. */
  readonly timeout?: number;
  /** Sent with the WebSocket handshake. The client cannot add headers to its HTTP transports. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ClientCloseEvent {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

/** Callbacks, for a test that depends on the time of an event. */
export interface OfficialClientEvents {
  readonly open?: () => void;
  readonly message?: (message: string) => void;
  readonly close?: (event: ClientCloseEvent) => void;
}

export class OfficialClient {
  readonly messages: AsyncQueue<string> = new AsyncQueue('a message');
  readonly heartbeats: AsyncQueue<string> = new AsyncQueue('a heartbeat');
  readonly closings: AsyncQueue<ClientCloseEvent> = new AsyncQueue('the close event');
  readonly #socket: WebSocket;
  readonly #opened: Promise<boolean>;

  constructor(
    url: string,
    { headers, ...options }: OfficialClientOptions = {},
    events: OfficialClientEvents = {},
  ) {
    const all = { ...options, transportOptions: { websocket: { headers } } };
    const socket = new SockJS(url, undefined, all);
    this.#socket = socket;
    this.#opened = new Promise((resolve) => {
      socket.addEventListener('open', () => {
        resolve(true);
        events.open?.();
      });
      socket.addEventListener('close', () => resolve(false));
    });
    socket.addEventListener('message', ({ data }: { data: unknown }) => {
      assert.ok(typeof data === 'string');
      this.messages.push(data);
      events.message?.(data);
    });
    socket.addEventListener('heartbeat', ({ type }) => this.heartbeats.push(type));
    socket.addEventListener('close', ({ code, reason, wasClean }) => {
      const event = { code, reason, wasClean };
      this.closings.push(event);
      events.close?.(event);
    });
  }

  get isOpen(): boolean {
    return this.#socket.readyState === SockJS.OPEN;
  }

  /** @returns false if the client closed before it opened */
  async opened(options?: WaitOptions): Promise<boolean> {
    return within(this.#opened, 'the open event', options);
  }

  async next(options?: WaitOptions): Promise<string> {
    return this.messages.next(options);
  }

  async closed(options?: WaitOptions): Promise<ClientCloseEvent> {
    return this.closings.next(options);
  }

  /** The transport that the client has chosen. */
  get transport(): unknown {
    const transport: unknown = Reflect.get(this.#socket, 'transport');
    return transport;
  }

  send(...messages: readonly string[]): void {
    for (const message of messages) this.#socket.send(message);
  }

  close(code?: number, reason?: string): void {
    this.#socket.close(code, reason);
  }
}

/** Creates a client that connects, and is closed at the end of the test. */
export function connectOfficial(
  scope: TestScope,
  url: string,
  options?: OfficialClientOptions,
): OfficialClient {
  const client = new OfficialClient(url, options);
  scope.after(() => client.close());
  return client;
}

/** Like `connectOfficial`, and waits until the client is open. @throws AssertionError if it closes instead */
export async function openOfficial(
  scope: TestScope,
  url: string,
  options?: OfficialClientOptions,
): Promise<OfficialClient> {
  const client = connectOfficial(scope, url, { timeout: OPEN_TIMEOUT_MS, ...options });
  if (!(await client.opened())) assert.deepEqual(await client.closed(), 'an open client');
  return client;
}
