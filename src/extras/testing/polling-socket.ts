import { CLIENT_TRANSPORTS } from './http-transports.ts';
import type { Inbox } from './inbox.ts';
import { OpenError } from './open-error.ts';

type Headers = Readonly<Record<string, string>>;

/** XHR polling over real sockets. */
export class PollingSocket {
  readonly #url: string;
  readonly #headers: Headers;
  readonly #inbox: Inbox<string>;
  readonly #controller = new AbortController();
  /** The sending request before, since the next one waits for its response. */
  #sending: Promise<unknown> = Promise.resolve();

  private constructor(url: string, headers: Headers, inbox: Inbox<string>) {
    this.#url = url;
    this.#headers = headers;
    this.#inbox = inbox;
  }

  /** @throws OpenError */
  static async open(url: string, headers: Headers, inbox: Inbox<string>): Promise<PollingSocket> {
    const socket = new PollingSocket(url, headers, inbox);
    const response = await socket.#post(url, '');
    const text = await response.text();
    if (response.status !== 200) throw OpenError.refused(response.status, text);
    socket.#read(text);
    void socket.#poll();
    return socket;
  }

  sendMessage(message: string): Promise<void> {
    const sent = this.#sending.then(() => this.#send(message));
    this.#sending = sent.catch(() => {});
    return sent;
  }

  /** Ends the pending request, since HTTP has no close frame. */
  close(code: number, reason: string): void {
    this.#inbox.close(code, reason);
    this.#controller.abort();
  }

  async #poll(): Promise<void> {
    try {
      const response = await this.#post(this.#url, '');
      const text = await response.text();
      if (response.status === 200) this.#read(text);
      else this.#inbox.close(1006, `A request was refused with ${response.status}`);
    } catch {
      this.#inbox.close(1006, ''); // Without effect if the client has closed.
    }
    if (this.#inbox.closeStatus === undefined) await this.#poll();
  }

  async #send(message: string): Promise<void> {
    const response = await this.#post(
      this.#url.replace(/\/xhr(?=$|\?)/, '/xhr_send'),
      JSON.stringify([message]),
    );
    const text = await response.text();
    if (!response.ok)
      throw new Error(`The server has refused the message with ${response.status}: ${text}`);
  }

  #post(url: string, body: string): Promise<Response> {
    const { signal } = this.#controller;
    return fetch(url, { method: 'POST', headers: this.#headers, body, signal });
  }

  #read(text: string): void {
    for (const frame of CLIENT_TRANSPORTS.xhr.decode(text)) this.#inbox.readFrame(frame);
  }
}
