/** A polling session that always has a pending poll. Its messages go over another socket. */
import { SOCKJS_FRAMING } from '../load/dialects.ts';
import { HttpClient, post } from '../load/http.ts';
import { Expected, Inbox, plainTexts } from '../load/inbox.ts';

const SERVERS = 1000;
const TEXTS = plainTexts(32)(0);
const EXPECTED = new Expected(SOCKJS_FRAMING, TEXTS);
const NO_MESSAGES = new Expected(SOCKJS_FRAMING, []);

let opened = 0;

export class PollingClient {
  /** One connection to each node. They poll in turn. */
  readonly #pollers: readonly HttpClient[];
  readonly #inbox = new Inbox(EXPECTED);
  readonly #path: string;
  #sent = 0;
  #isEnded = false;

  private constructor(ports: readonly number[]) {
    // Three digits as sockjs-client chooses them.
    const server = String(opened % SERVERS).padStart(3, '0');
    this.#path = `/echo/${server}/session-${opened}`;
    opened += 1;
    this.#pollers = ports.map((port) => new HttpClient(port, this.#inbox));
  }

  static async open(...ports: readonly number[]): Promise<PollingClient> {
    const client = new PollingClient(ports);
    await client.#pollers[0]?.open(post(`${client.#path}/xhr`), true);
    void client.#poll();
    return client;
  }

  /** A client that sends the messages of any session, one at a time. */
  static sender(port: number): HttpClient {
    return new HttpClient(port, new Inbox(NO_MESSAGES));
  }

  /** Sends a message and receives its echo. */
  async echo(sender: HttpClient): Promise<void> {
    const body = JSON.stringify([TEXTS[this.#sent % TEXTS.length]]);
    this.#sent += 1;
    const received = this.#inbox.messages(1);
    await sender.request(post(`${this.#path}/xhr_send`, body), 204);
    await received;
  }

  destroy(): void {
    this.#isEnded = true;
    for (const poller of this.#pollers) poller.destroy();
  }

  async #poll(): Promise<void> {
    const request = post(`${this.#path}/xhr`);
    for (let turn = 1; !this.#isEnded; turn += 1)
      await this.#pollers[turn % this.#pollers.length]?.request(request, 200);
  }
}
