/** The browser client of this package, with queues of its events. */
import { createRequire } from 'node:module';
import {
  type ConnectOptions,
  type LossDetails,
  type Socket,
  type TransportName,
  connect,
} from '../client/index.ts';
import { AsyncQueue } from './async-queue.ts';
import type { TestScope } from './scope.ts';
import type { WaitOptions } from './until.ts';

/** Transports of the client, in the order in which it attempts them. */
export const BROWSER_TRANSPORTS = [
  'websocket',
  'xhr-streaming',
  'eventsource',
  'xhr-polling',
] as const satisfies readonly TransportName[];

// Node has an EventSource only with a flag.
Reflect.set(globalThis, 'EventSource', createRequire(import.meta.url)('eventsource'));

function detailsOf({
  code,
  reason,
  wasClean,
  status,
  attempt,
  uncertain,
}: LossDetails): LossDetails {
  return { code, reason, wasClean, status, attempt, uncertain };
}

export class BrowserClient {
  readonly socket: Socket;
  /** Values of `reconnected`. */
  readonly opens = new AsyncQueue<boolean>('the open event');
  readonly messages = new AsyncQueue<string>('a message');
  readonly losses = new AsyncQueue<LossDetails>('a reconnecting event');
  readonly closings = new AsyncQueue<LossDetails>('the close event');

  constructor(url: string, options?: ConnectOptions) {
    this.socket = connect(url, options);
    this.socket.addEventListener('open', ({ reconnected }) => this.opens.push(reconnected));
    this.socket.addEventListener('message', ({ data }) => this.messages.push(data));
    this.socket.addEventListener('reconnecting', (event) => this.losses.push(detailsOf(event)));
    this.socket.addEventListener('close', (event) => this.closings.push(detailsOf(event)));
  }

  async next(options?: WaitOptions): Promise<string> {
    return this.messages.next(options);
  }

  async closed(options?: WaitOptions): Promise<LossDetails> {
    return this.closings.next(options);
  }
}

/** Creates a client that is closed at the end of the test. Reconnects are fast unless the options say otherwise. */
export function connectClient(
  scope: TestScope,
  url: string,
  options: ConnectOptions = {},
): BrowserClient {
  const client = new BrowserClient(url, { reconnectDelay: 20, maxReconnectDelay: 100, ...options });
  scope.after(() => client.socket.close());
  return client;
}

/** Like `connectClient`, and waits until the client is open. */
export async function openClient(
  scope: TestScope,
  url: string,
  options?: ConnectOptions,
): Promise<BrowserClient> {
  const client = connectClient(scope, url, options);
  await client.opens.next();
  return client;
}
