/** The clients of Primus, shoe and websocket-multiplex in Node, each over one transport of sockjs-client. */
import type { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire, registerHooks } from 'node:module';
import { runInNewContext } from 'node:vm';
import SockJS from 'sockjs-client';
import { AsyncQueue } from '../../../testkit/async-queue.ts';
import type { TestScope } from '../../../testkit/scope.ts';
import { deferred, within } from '../../../testkit/until.ts';

export const TRANSPORTS = ['websocket', 'xhr-streaming', 'xhr-polling'] as const;
export type TransportName = (typeof TRANSPORTS)[number];

/** Time that sockjs-client allows its only transport for opening, in milliseconds. */
const OPEN_TIMEOUT_MS = 5000;

const require = createRequire(import.meta.url);
const SHOE_SOCKJS = require.resolve('./programs/sockjs-client-with-transport.cjs');

registerHooks({
  resolve(specifier, context, nextResolve) {
    const isOfShoe = context.parentURL?.endsWith('/shoe/browser.js') === true;
    return nextResolve(
      isOfShoe && specifier === 'sockjs-client' ? SHOE_SOCKJS : specifier,
      context,
    );
  },
});

export class Client {
  readonly #messages = new AsyncQueue<string>('a message');
  readonly #ended = deferred();
  readonly #send: (message: string) => void;
  readonly close: () => void;

  constructor(scope: TestScope, send: (message: string) => void, close: () => void) {
    this.#send = send;
    this.close = close;
    scope.after(close);
  }

  send(message: string): void {
    this.#send(message);
  }

  async take(count: number): Promise<string[]> {
    return this.#messages.take(count);
  }

  async closed(): Promise<void> {
    await within(this.#ended.promise, 'the client to close');
  }

  /** Returns the listeners for the client's events. */
  get events(): { readonly message: (message: string) => void; readonly end: () => void } {
    return {
      message: (message) => this.#messages.push(message),
      end: () => this.#ended.resolve(),
    };
  }
}

interface PrimusSocket extends EventEmitter {
  write(data: string): void;
  end(): void;
}

interface PrimusModule {
  createSocket(options: {
    readonly transformer: 'sockjs';
    readonly pathname: string;
  }): new (url: string, options: Readonly<Record<string, unknown>>) => PrimusSocket;
}

export function openPrimus(scope: TestScope, port: number, transport: TransportName): Client {
  const primus = require('primus') as PrimusModule;
  const Socket = primus.createSocket({ transformer: 'sockjs', pathname: '/realtime' });
  const socket = new Socket(`http://127.0.0.1:${port}/?room=a%20b`, {
    transport: { transports: transport, timeout: OPEN_TIMEOUT_MS },
    strategy: false,
  });
  const client = new Client(
    scope,
    (message) => socket.write(message),
    () => socket.end(),
  );
  socket.on('data', client.events.message).on('end', client.events.end);
  return client;
}

interface ShoeStream extends EventEmitter {
  write(message: string): void;
  end(): void;
}

export function openShoe(scope: TestScope, port: number, transport: TransportName): Client {
  const shoe = require('shoe/browser.js') as (url: string) => ShoeStream;
  const stream = shoe(`http://127.0.0.1:${port}/shoe?transport=${transport}`);
  const client = new Client(
    scope,
    (message) => stream.write(message),
    () => stream.end(),
  );
  stream.on('data', client.events.message).on('end', client.events.end);
  return client;
}

interface MultiplexChannel {
  onmessage: (event: { readonly data: string }) => void;
  onclose: () => void;
  send(message: string): void;
  close(): void;
}

interface MultiplexScript {
  readonly WebSocketMultiplex: new (socket: WebSocket) => {
    channel(name: string): MultiplexChannel;
  };
}

export interface MultiplexClient {
  /** Closes with the connection, whose code and reason follow. */
  readonly closed: () => Promise<string>;
  readonly close: () => void;
  channel(name: string): Client;
}

/** Opens a connection of sockjs-client, on which the script of websocket-multiplex opens channels. */
export function openMultiplex(
  scope: TestScope,
  url: string,
  transport: TransportName,
): MultiplexClient {
  const context = { setTimeout };
  runInNewContext(
    readFileSync(require.resolve('websocket-multiplex/multiplex_client.js'), 'utf8'),
    context,
  );
  const { WebSocketMultiplex } = context as unknown as MultiplexScript;
  const socket = new SockJS(url, null, { transports: transport, timeout: OPEN_TIMEOUT_MS });
  const closing = deferred<string>();
  socket.addEventListener('close', ({ code, reason }) => closing.resolve(`${code} ${reason}`));
  scope.after(() => socket.close());
  const multiplexer = new WebSocketMultiplex(socket);
  return {
    closed: async () => within(closing.promise, 'the connection to close'),
    close: () => socket.close(),
    channel(name) {
      const channel = multiplexer.channel(name);
      const client = new Client(
        { after: () => {} },
        (message) => channel.send(message),
        () => channel.close(),
      );
      channel.onmessage = ({ data }) => client.events.message(data);
      channel.onclose = client.events.end;
      return client;
    },
  };
}
