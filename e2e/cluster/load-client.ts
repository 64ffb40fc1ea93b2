/** The real sockjs-client under load: it numbers what it sends, and checks each echo. */
import { randomBytes } from 'node:crypto';
import {
  type ClientCloseEvent,
  type ClientTransportName,
  OfficialClient,
} from '../../testkit/official-client.ts';
import type { TestScope } from '../../testkit/scope.ts';
import { until } from '../../testkit/until.ts';

const SEND_INTERVAL_MS = 20;
/** Messages without an echo. A client that has more waits. */
const MAX_PENDING = 50;

/** Transports of the client whose requests reach any node. */
export const HTTP_TRANSPORTS = ['xhr-streaming', 'eventsource', 'xhr-polling'] as const;

export class LoadClient {
  readonly transport: ClientTransportName;
  readonly session: string = randomBytes(8).toString('hex');
  /** Violations of the order of messages. */
  readonly violations: string[] = [];
  /** Name of the node that owns the session. */
  owner: string | undefined;
  closing: ClientCloseEvent | undefined;
  /** Longest time between a message and its echo so far, in milliseconds. */
  longestGapMs = 0;
  received = 0;
  readonly #client: OfficialClient;
  /** Times at which messages without an echo were sent. */
  readonly #sentAt: number[] = [];
  readonly #timer: NodeJS.Timeout;
  #sent = 0;

  constructor(url: string, transport: ClientTransportName) {
    this.transport = transport;
    const options = { transports: transport, sessionId: () => this.session };
    this.#client = new OfficialClient(url, options, {
      message: (text) => this.#onMessage(text),
      close: (event) => this.#onClose(event),
    });
    this.#timer = setInterval(() => this.#send(), SEND_INTERVAL_MS);
  }

  get isOpen(): boolean {
    return this.owner !== undefined && this.closing === undefined;
  }

  /** Number of messages without an echo. */
  get pending(): number {
    return this.#sent - this.received;
  }

  async opened(): Promise<this> {
    await until(
      () => this.received > 0 || this.closing !== undefined,
      `the first echo over ${this.transport}`,
      { timeout: 20_000, state: () => [this.owner, this.#sent] },
    );
    return this;
  }

  /** Sends no further messages. */
  pause(): void {
    clearInterval(this.#timer);
  }

  close(): void {
    this.pause();
    this.#client.close();
  }

  #send(): void {
    if (!this.isOpen || this.pending >= MAX_PENDING) return;
    this.#sent += 1;
    this.#sentAt.push(performance.now());
    this.#client.send(`${this.session} ${this.#sent}`);
  }

  #onMessage(text: string): void {
    if (this.owner === undefined && text.startsWith('node ')) {
      this.owner = text.slice('node '.length);
      return;
    }
    const expected = `${this.session} ${this.received + 1}`;
    if (text !== expected) this.violations.push(`${text} instead of ${expected}`);
    this.received += 1;
    const sentAt = this.#sentAt.shift() ?? 0;
    this.longestGapMs = Math.max(this.longestGapMs, performance.now() - sentAt);
  }

  #onClose(event: ClientCloseEvent): void {
    this.closing = event;
    this.pause();
  }
}

/** Opens clients of all HTTP transports, and waits for their first echo. */
export async function openClients(
  scope: TestScope,
  url: string,
  perTransport: number,
): Promise<LoadClient[]> {
  const clients: LoadClient[] = [];
  scope.after(() => {
    for (const client of clients) client.close();
  });
  for (const transport of HTTP_TRANSPORTS)
    for (let index = 0; index < perTransport; index += 1)
      clients.push(new LoadClient(url, transport));
  await Promise.all(clients.map((client) => client.opened()));
  return clients;
}

/** Waits until every message of the open clients has its echo. */
export async function settle(clients: readonly LoadClient[]): Promise<void> {
  for (const client of clients) client.pause();
  await until(
    () => clients.every(({ isOpen, pending }) => !isOpen || pending === 0),
    'all echoes',
    { timeout: 20_000, state: () => clients.map(({ pending, closing }) => [pending, closing]) },
  );
}

export function longestGap(clients: readonly LoadClient[]): number {
  return Math.round(Math.max(...clients.map(({ longestGapMs }) => longestGapMs)));
}
