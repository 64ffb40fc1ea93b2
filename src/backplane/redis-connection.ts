/** One connection to Redis, over a client of the package `redis` or of `ioredis`. */
import { SockJSError } from '../base/errors.ts';

/** The part of a client of the package `redis` that is used. */
export interface NodeRedisClient {
  readonly isReady: boolean;
  readonly options?: { readonly socket?: object } | undefined;
  duplicate(options?: object): NodeRedisClient;
  connect(): Promise<unknown>;
  destroy(): void;
  sendCommand(args: readonly string[]): Promise<unknown>;
  subscribe(
    channel: string,
    listener: (message: string, channel: string) => void,
  ): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  on(event: string, listener: (error: unknown) => void): unknown;
}

/** The part of a client of `ioredis` that is used. */
export interface IORedisClient {
  readonly status: string;
  duplicate(options?: object): IORedisClient;
  connect(): Promise<unknown>;
  disconnect(): void;
  call(command: string, ...args: string[]): Promise<unknown>;
  subscribe(channel: string): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  on(event: string, listener: (...args: string[]) => void): unknown;
}

export type RedisClient = IORedisClient | NodeRedisClient;

export interface RedisConnectionListener {
  onMessage(channel: string, data: string): void;
  /** Called when the connection is ready, again after each reconnection. */
  onReady(): void;
  onEnd(): void;
  /** Called for each error, such as a failed attempt to connect. */
  onError(error: unknown): void;
}

export interface RedisConnection {
  readonly isReady: boolean;
  connect(): Promise<unknown>;
  /** Sends a command. It rejects at once while the connection is not ready. */
  command(args: readonly string[]): Promise<unknown>;
  subscribe(channel: string): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  close(): void;
}

const MIN_RECONNECT_DELAY_MS = 50;
const MAX_RECONNECT_DELAY_MS = 500;

function reconnectDelay(attempts: number): number {
  return Math.min(MIN_RECONNECT_DELAY_MS * (attempts + 1), MAX_RECONNECT_DELAY_MS);
}

function notReady(): Promise<never> {
  return Promise.reject(new SockJSError('ERR_BACKPLANE', 'The connection to Redis is not ready.'));
}

function ignore(): void {}

function overNodeRedis(
  client: NodeRedisClient,
  listener: RedisConnectionListener,
): RedisConnection {
  const connection = client.duplicate({
    disableOfflineQueue: true,
    socket: { ...client.options?.socket, reconnectStrategy: reconnectDelay },
  });
  // Without a listener it would end the process.
  connection.on('error', (error) => listener.onError(error));
  connection.on('ready', () => listener.onReady());
  connection.on('reconnecting', () => listener.onEnd());
  connection.on('end', () => listener.onEnd());
  const onMessage = (data: string, channel: string): void => listener.onMessage(channel, data);
  return {
    get isReady() {
      return connection.isReady;
    },
    connect: () => connection.connect(),
    command: (args) => (connection.isReady ? connection.sendCommand(args) : notReady()),
    subscribe: (channel) =>
      connection.isReady ? connection.subscribe(channel, onMessage) : notReady(),
    unsubscribe: (channel) => (connection.isReady ? connection.unsubscribe(channel) : notReady()),
    close: () => connection.destroy(),
  };
}

function overIORedis(client: IORedisClient, listener: RedisConnectionListener): RedisConnection {
  const connection = client.duplicate({
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: reconnectDelay,
  });
  // Without a listener it would be written to the console.
  connection.on('error', (error: unknown) => listener.onError(error));
  connection.on('ready', () => listener.onReady());
  connection.on('close', () => listener.onEnd());
  connection.on('message', (channel = '', data = '') => listener.onMessage(channel, data));
  const isReady = (): boolean => connection.status === 'ready';
  return {
    get isReady() {
      return isReady();
    },
    connect: () =>
      new Promise<void>((resolve) => {
        connection.on('ready', () => resolve());
        // After a failed attempt, the client tries again.
        connection.connect().catch(ignore);
      }),
    command: ([name = '', ...args]) => (isReady() ? connection.call(name, ...args) : notReady()),
    subscribe: (channel) => (isReady() ? connection.subscribe(channel) : notReady()),
    unsubscribe: (channel) => (isReady() ? connection.unsubscribe(channel) : notReady()),
    close: () => connection.disconnect(),
  };
}

/** Creates a connection with the options of a client, which is not used itself. */
export function createConnection(
  client: RedisClient,
  listener: RedisConnectionListener,
): RedisConnection {
  return 'sendCommand' in client && 'isReady' in client
    ? overNodeRedis(client, listener)
    : overIORedis(client, listener);
}
