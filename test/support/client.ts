/**
 * The real sockjs-client with promises in place of events. Whatever is waited for has a deadline, and a
 * client is closed when its test ends.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setInterval } from 'node:timers/promises';
import SockJS from 'sockjs-client';

/** All that the client knows outside a browser, as it names and tries them. */
export const TRANSPORTS = ['websocket', 'xhr-streaming', 'eventsource', 'xhr-polling'] as const;
export type ClientTransport = (typeof TRANSPORTS)[number];

const DEADLINE = 10_000;

/** What is waited for, or an error that says what did not come. */
export async function within<T>(awaited: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`Waited in vain for ${what}.`)), DEADLINE);
  });
  try {
    return await Promise.race([awaited, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** For states that no event announces. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const end = performance.now() + DEADLINE;
  if (holds()) return;
  for await (const _ of setInterval(2)) {
    if (holds()) return;
    assert.ok(performance.now() < end, `Waited in vain until ${what}.`);
  }
}

/** Things that happen, to be waited for in their order. */
export class Queue<T extends {}> {
  readonly #what: string;
  readonly #items: T[] = [];
  readonly #takers: ((item: T) => void)[] = [];

  constructor(what: string) {
    this.#what = what;
  }

  /** How many have happened that nobody has taken. */
  get size(): number {
    return this.#items.length;
  }

  put(item: T): void {
    const taker = this.#takers.shift();
    if (taker === undefined) this.#items.push(item);
    else taker(item);
  }

  next(): Promise<T> {
    const [item] = this.#items.splice(0, 1);
    if (item !== undefined) return Promise.resolve(item);
    return within(new Promise<T>((resolve) => this.#takers.push(resolve)), this.#what);
  }

  take(count: number): Promise<T[]> {
    return Promise.all(Array.from({ length: count }, () => this.next()));
  }
}

export interface ClientOptions {
  readonly transports?: ClientTransport | ClientTransport[];
  /** The part of session URLs that names the server. */
  readonly server?: string;
  readonly sessionId?: () => string;
  /** Sent with the request for a WebSocket; the client has no such means for its HTTP transports. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface CloseStatus {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

export class Client {
  readonly messages = new Queue<string>('a message');
  readonly heartbeats = new Queue<string>('a heartbeat');
  readonly closings = new Queue<CloseStatus>('the close event');
  readonly #socket: WebSocket;
  readonly #opened: Promise<boolean>;

  constructor(url: string, { headers, ...options }: ClientOptions = {}) {
    const all = { ...options, transportOptions: { websocket: { headers } } };
    const socket = new SockJS(url, undefined, all);
    this.#socket = socket;
    this.#opened = new Promise((resolve) => {
      socket.addEventListener('open', () => resolve(true));
      socket.addEventListener('close', () => resolve(false));
    });
    socket.addEventListener('message', ({ data }: { data: unknown }) => {
      assert.ok(typeof data === 'string');
      this.messages.put(data);
    });
    socket.addEventListener('heartbeat', ({ type }) => this.heartbeats.put(type));
    socket.addEventListener('close', ({ code, reason, wasClean }) =>
      this.closings.put({ code, reason, wasClean }),
    );
  }

  /** False if the client was closed before it could open. */
  get opened(): Promise<boolean> {
    return within(this.#opened, 'the open event');
  }

  /** What the client has arrived at, by its own name for it. */
  get transport(): unknown {
    const transport: unknown = Reflect.get(this.#socket, 'transport');
    return transport;
  }

  send(...messages: string[]): void {
    for (const message of messages) this.#socket.send(message);
  }

  close(code?: number, reason?: string): void {
    this.#socket.close(code, reason);
  }
}

export function connect(t: TestContext, url: string, options?: ClientOptions): Client {
  const client = new Client(url, options);
  t.after(() => client.close());
  return client;
}

export async function open(t: TestContext, url: string, options?: ClientOptions): Promise<Client> {
  const client = connect(t, url, options);
  if (!(await client.opened)) assert.deepEqual(await client.closings.next(), 'an open client');
  return client;
}

/** One test for each transport of the client. */
export function overEach(
  rule: string,
  run: (t: TestContext, transports: ClientTransport) => Promise<void>,
): void {
  for (const transport of TRANSPORTS) test(`${transport}: ${rule}`, (t) => run(t, transport));
}
