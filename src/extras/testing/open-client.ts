import { randomUUID } from 'node:crypto';
import type { ConnectionSource } from '../../api/connection-factory.ts';
import type { SockJSConnection } from '../../api/connection.ts';
import { SockJSRouter, internalsOf } from '../../api/router.ts';
import type { SockJSSettings } from '../../api/settings.ts';
import { describeValue } from '../../base/describe-value.ts';
import { SockJSError } from '../../base/errors.ts';
import { type OptionRules, checkOptions } from '../../base/option-check.ts';
import {
  CLIENT_RULES,
  type ClientOptions,
  NEXT_TIMEOUT_MS,
  originOf,
  queryOf,
} from './client-options.ts';
import { Inbox } from './inbox.ts';
import { MemoryClient } from './memory-client.ts';
import { MemoryExchange } from './memory-exchange.ts';
import { MemoryHttp } from './memory-http.ts';
import { MemoryWebSocket } from './memory-websocket.ts';
import { OpenError } from './open-error.ts';
import { later } from './real-time.ts';
import type { Wire } from './wire.ts';

/** Options of `openConnection`. */
export interface ConnectionOptions<User = unknown> extends ClientOptions {
  /** Result of `authorize`, which becomes `connection.user`. */
  readonly user?: User;
  /** Settings of the router. */
  readonly settings?: SockJSSettings<User>;
}

/** Arguments of `openConnection` after the class. A class with a `User` type needs a user. */
export type ConnectionArguments<User> = undefined extends User
  ? [options?: ConnectionOptions<User>]
  : [options: ConnectionOptions<User> & { readonly user: User }];

const CONNECTION_RULES: OptionRules = {
  ...CLIENT_RULES,
  user: { expected: 'a user', isValid: (value): value is unknown => value !== undefined },
  settings: {
    expected: 'an object of settings',
    isValid: (value): value is unknown => typeof value === 'object' && value !== null,
  },
};

/** One attempt to open a session on a router. */
class Opening<C extends SockJSConnection, Message> {
  readonly #router: SockJSRouter<C>;
  readonly #options: ClientOptions;
  readonly #inbox: Inbox<Message>;
  readonly #resolve: (client: MemoryClient<C, Message>) => void;
  readonly #reject: (error: Error) => void;

  constructor(
    router: SockJSRouter<C>,
    options: ClientOptions,
    resolve: (client: MemoryClient<C, Message>) => void,
    reject: (error: Error) => void,
  ) {
    this.#router = router;
    this.#options = options;
    this.#inbox = new Inbox(options.timeout ?? NEXT_TIMEOUT_MS);
    this.#resolve = resolve;
    this.#reject = reject;
  }

  start(): void {
    const { transport = 'websocket' } = this.#options;
    const { dispatcher: handler, sessions } = internalsOf(this.#router);
    sessions.unref(); // A test that fails before it closes its client ends all the same.
    if (transport === 'websocket' || transport === 'rawwebsocket')
      return this.#openWebSocket(transport === 'rawwebsocket');
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- HTTP carries text only
    const inbox = this.#inbox as Inbox<unknown> as Inbox<string>;
    const [origin, query] = [originOf(this.#options), queryOf(this.#options)];
    const onSession = (wire: Wire): void => this.#onSession(wire);
    const onRefused = (status: number, body: string): void => this.#onRefused(status, body);
    return new MemoryHttp({
      handler,
      origin,
      query,
      transport,
      inbox,
      onSession,
      onRefused,
    }).receive();
  }

  #openWebSocket(isRaw: boolean): void {
    const { dispatcher } = internalsOf(this.#router);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- bytes arrive only where `Message` has them
    const inbox = this.#inbox as Inbox<unknown> as Inbox<string | Uint8Array>;
    const accept = (): MemoryWebSocket => {
      const socket = new MemoryWebSocket(inbox, isRaw, dispatcher.settings);
      this.#onSession(socket);
      return socket;
    };
    let body = '';
    const exchange = new MemoryExchange(
      {
        origin: originOf(this.#options),
        method: 'GET',
        path: isRaw ? '/websocket' : `/000/${randomUUID()}/websocket`,
        query: queryOf(this.#options),
        upgrade: { type: 'websocket', accept },
      },
      {
        onText: (text) => {
          body += text;
        },
        onEnd: (status) => this.#onRefused(status, body),
        onLost: () => this.#onRefused(500, 'The request was aborted.'),
      },
    );
    dispatcher.handle(exchange);
  }

  /** Called in the turn in which the router has created the session. */
  #onSession(wire: Wire): void {
    const newest = internalsOf(this.#router).sessions.newest;
    if (newest === undefined) return;
    const [session, connection] = newest;
    const client = new MemoryClient<C, Message>(
      this.#router,
      connection,
      session,
      wire,
      this.#inbox,
    );
    void this.#settle(client);
  }

  async #settle(client: MemoryClient<C, Message>): Promise<void> {
    if (await client.accepted()) return this.#resolve(client);
    return this.#reject(OpenError.closed(await client.closed, client.received));
  }

  #onRefused(status: number, body: string): void {
    later(() => this.#reject(OpenError.refused(status, body)));
  }
}

/**
 * Opens a client in memory, without a socket. All else is that of a server: the settings of the router, `authorize`,
 * origins, limits, groups and close codes.
 * @returns a promise of the client, once `onOpen` has accepted it
 * @throws OpenError with the HTTP status if the request is refused, or with the close code if `onOpen` refuses or closes
 * the connection; SockJSError `ERR_ARGUMENT` for another value than a router, `ERR_SETTING` for an invalid option
 *
 * @example
 * const client = await openClient(router, { query: 'room=1' });
 * await client.send('hello');
 * assert.equal(await client.next(), 'hello');
 */
export function openClient<C extends SockJSConnection>(
  router: SockJSRouter<C>,
  options: ClientOptions & { readonly transport: 'rawwebsocket' },
): Promise<MemoryClient<C, string | Uint8Array>>;
export function openClient<C extends SockJSConnection>(
  router: SockJSRouter<C>,
  options?: ClientOptions,
): Promise<MemoryClient<C>>;
export async function openClient<C extends SockJSConnection>(
  router: SockJSRouter<C>,
  options: ClientOptions = {},
): Promise<MemoryClient<C>> {
  if (!(router instanceof SockJSRouter)) {
    throw new SockJSError(
      'ERR_ARGUMENT',
      `openClient() takes a SockJSRouter, not ${describeValue(router)}. For a connection class, use openConnection().`,
    );
  }
  checkOptions('openClient()', options, CLIENT_RULES);
  return new Promise((resolve, reject) => {
    new Opening(router, options, resolve, reject).start();
  });
}

/**
 * Opens a client of a connection class on a router of its own, with `user` as the result of `authorize`.
 * @throws as `openClient`; SockJSError `ERR_SETTING` for `user` together with `settings.authorize`
 *
 * @example
 * await using client = await openConnection(Chat, { user: { name: 'Ada' } });
 */
export async function openConnection<C extends SockJSConnection>(
  source: ConnectionSource<C>,
  ...[options = {}]: ConnectionArguments<C['user']>
): Promise<MemoryClient<C>> {
  checkOptions('openConnection()', options, CONNECTION_RULES);
  const { user, settings = {}, ...clientOptions } = options;
  if (user !== undefined && settings.authorize !== undefined) {
    throw new SockJSError(
      'ERR_SETTING',
      'openConnection() takes a user, or settings with authorize, not both.',
    );
  }
  const all = user === undefined ? settings : { ...settings, authorize: () => user };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a class with users has a user
  const router = new SockJSRouter<C>(source, ...(['/test', all] as never));
  return openClient(router, clientOptions);
}
