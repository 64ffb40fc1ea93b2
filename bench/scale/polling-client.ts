/** A polling session that always has a pending poll. Its messages go over another socket. */
import { SOCKJS_FRAMING } from '../load/dialects.ts';
import { HttpClient, post } from '../load/http.ts';
import { Expected, plainTexts } from '../load/inbox.ts';

const SERVERS = 1000;
const TEXTS = plainTexts(32)(0);
const EXPECTED = new Expected(SOCKJS_FRAMING, TEXTS);
const NO_MESSAGES = new Expected(SOCKJS_FRAMING, []);

let opened = 0;

export class PollingClient {
  readonly #poller: HttpClient;
  readonly #path: string;
  #sent = 0;
  #isEnded = false;

  private constructor(port: number) {
    // Three digits as sockjs-client chooses them.
    const server = String(opened % SERVERS).padStart(3, '0');
    this.#path = `/echo/${server}/session-${opened}`;
    opened += 1;
    this.#poller = new HttpClient(port, EXPECTED);
  }

  static async open(port: number): Promise<PollingClient> {
    const client = new PollingClient(port);
    await client.#poller.open(post(`${client.#path}/xhr`), true);
    void client.#poll();
    return client;
  }

  /** A client that sends the messages of any session, one at a time. */
  static sender(port: number): HttpClient {
    return new HttpClient(port, NO_MESSAGES);
  }

  /** Sends a message and receives its echo. */
  async echo(sender: HttpClient): Promise<void> {
    const body = JSON.stringify([TEXTS[this.#sent % TEXTS.length]]);
    this.#sent += 1;
    const received = this.#poller.inbox.messages(1);
    await sender.request(post(`${this.#path}/xhr_send`, body), 204);
    await received;
  }

  destroy(): void {
    this.#isEnded = true;
    this.#poller.destroy();
  }

  async #poll(): Promise<void> {
    const request = post(`${this.#path}/xhr`);
    while (!this.#isEnded) await this.#poller.request(request, 200);
  }
}
