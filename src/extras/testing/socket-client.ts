import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { SockJSConnection } from '../../api/connection.ts';
import { SockJSRouter } from '../../api/router.ts';
import { checkCloseArguments } from '../../base/close-arguments.ts';
import { describeValue } from '../../base/describe-value.ts';
import { SockJSError } from '../../base/errors.ts';
import { type OptionRules, checkOptions } from '../../base/option-check.ts';
import { CLIENT_RULES, type ClientOptions, NEXT_TIMEOUT_MS, queryOf } from './client-options.ts';
import { Inbox } from './inbox.ts';
import { OpenError } from './open-error.ts';
import { PollingSocket } from './polling-socket.ts';
import { TestClient } from './test-client.ts';

/** Time that clients have to take their close frames at the end of a test, in milliseconds. */
const CLOSE_TIMEOUT_MS = 1000;

/** Options of a client over a real socket. */
export interface SocketClientOptions extends Pick<ClientOptions, 'query' | 'headers' | 'timeout'> {
  /** Default: `websocket`, which needs Node.js 22 or later. */
  readonly transport?: 'websocket' | 'xhr';
}

const SOCKET_RULES: OptionRules = {
  query: CLIENT_RULES.query,
  headers: CLIENT_RULES.headers,
  timeout: CLIENT_RULES.timeout,
  transport: {
    expected: 'websocket or xhr',
    isValid: (value): value is unknown => value === 'websocket' || value === 'xhr',
  },
};

/** Connection of a client to the server, after it has opened. */
export interface ClientSocket {
  sendMessage(message: string): Promise<void>;
  close(code: number, reason: string): void;
}

/** A client over a real socket. */
export class SocketClient extends TestClient {
  readonly #inbox: Inbox<string>;
  readonly #socket: ClientSocket;
  readonly #onClosed: () => Promise<void>;

  /** @internal */
  constructor(socket: ClientSocket, inbox: Inbox<string>, onClosed: () => Promise<void>) {
    super(inbox);
    this.#socket = socket;
    this.#inbox = inbox;
    this.#onClosed = onClosed;
  }

  /**
   * Sends a message. Its handler may be called later.
   * @throws Error if the connection has closed, or the server refuses the request with the message
   */
  async send(message: string): Promise<void> {
    this.#inbox.checkOpen();
    await this.#socket.sendMessage(message);
  }

  /**
   * Closes as the client. A client of `testClient` then closes the router and its server.
   * @param code 1000, or 3000 to 4999. Only a WebSocket carries it
   * @throws SockJSError `ERR_CLOSE_ARGUMENT`
   */
  async close(code = 1000, reason = ''): Promise<void> {
    checkCloseArguments(code, reason);
    if (this.#inbox.closeStatus === undefined) this.#socket.close(code, reason);
    await this.closed;
    await this.#onClosed();
  }
}

/** A router that listens on a free port of 127.0.0.1. */
export class TestServer implements AsyncDisposable {
  /** URL of the router, with its prefix. */
  readonly url: string;
  readonly #router: SockJSRouter;
  readonly #inboxes: Inbox<string>[] = [];

  /** @internal */
  constructor(router: SockJSRouter, server: Server) {
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    this.url = `http://127.0.0.1:${port}${router.prefix}`;
    this.#router = router;
  }

  /**
   * Opens a client over a real socket.
   * @returns a promise of the client, once the server has opened the session, which is before `onOpen` has settled
   * @throws OpenError if the server refuses; SockJSError `ERR_SETTING` for an invalid option
   */
  openClient(options: SocketClientOptions = {}): Promise<SocketClient> {
    return this.#open(options, () => Promise.resolve());
  }

  /** Opens a client whose `close` closes the server. @internal */
  async openOnly(options: SocketClientOptions): Promise<SocketClient> {
    try {
      return await this.#open(options, () => this.close());
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Closes the router with all of its clients, and its server. */
  async close(): Promise<void> {
    // A closed client of xhr takes no close frame.
    const isOpen = this.#inboxes.some(({ closeStatus }) => closeStatus === undefined);
    await this.#router.close({ timeout: isOpen ? CLOSE_TIMEOUT_MS : 0 });
  }

  /** Closes the server, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #open(options: SocketClientOptions, onClosed: () => Promise<void>): Promise<SocketClient> {
    checkOptions('the client', options, SOCKET_RULES);
    const { transport = 'websocket', headers = {}, timeout = NEXT_TIMEOUT_MS } = options;
    const inbox = new Inbox<string>(timeout);
    const query = queryOf(options);
    const url = `${this.url}/000/${randomUUID()}/${transport}${query === '' ? '' : `?${query}`}`;
    const socket =
      transport === 'xhr'
        ? await PollingSocket.open(url, headers, inbox)
        : await openWebSocket(url, headers, inbox);
    this.#inboxes.push(inbox);
    return new SocketClient(socket, inbox, onClosed);
  }
}

async function openWebSocket(
  url: string,
  headers: Readonly<Record<string, string>>,
  inbox: Inbox<string>,
): Promise<ClientSocket> {
  const { WebSocket } = globalThis;
  if (typeof WebSocket !== 'function') {
    throw new SockJSError(
      'ERR_ARGUMENT',
      "This version of Node.js has no WebSocket. Use Node.js 22 or later, or { transport: 'xhr' }.",
    );
  }
  const socket = new WebSocket(url.replace('http:', 'ws:'), { headers });
  let isOpen = false;
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('message', ({ data }) => {
      isOpen = true;
      resolve(); // The first frame is `o`.
      inbox.readFrame(String(data));
    });
    socket.addEventListener('close', ({ code, reason }) => {
      inbox.close(code, reason);
      const hint = 'A client of xhr gets the status of a refusal.';
      if (!isOpen) reject(new OpenError(`The WebSocket was refused. ${hint}`, { code, reason }));
    });
  });
  return {
    sendMessage(message) {
      socket.send(JSON.stringify([message]));
      return Promise.resolve();
    },
    close: (code, reason) => socket.close(code, reason),
  };
}

/**
 * Lets a router listen on a free port of 127.0.0.1, for tests over real sockets.
 * @throws SockJSError `ERR_ARGUMENT` for another value than a router, `ERR_CLOSED` if the router is closed
 *
 * @example
 * await using server = await listenForTest(router);
 * const client = await server.openClient({ transport: 'xhr' });
 */
export async function listenForTest<C extends SockJSConnection>(
  router: SockJSRouter<C>,
): Promise<TestServer> {
  if (!(router instanceof SockJSRouter)) {
    const text = `listenForTest() takes a SockJSRouter, not ${describeValue(router)}.`;
    throw new SockJSError('ERR_ARGUMENT', text);
  }
  const server = router.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return new TestServer(router, server);
}

/**
 * Opens the only client of a router over a real socket. Its `close` closes the router and the server.
 * @throws as `listenForTest` and `openClient` of its server
 *
 * @example
 * await using client = await testClient(router);
 */
export async function testClient<C extends SockJSConnection>(
  router: SockJSRouter<C>,
  options: SocketClientOptions = {},
): Promise<SocketClient> {
  const server = await listenForTest(router);
  return server.openOnly(options);
}
