/** A session over HTTP: one connection that receives, one request after the other, and one that sends. */
import { randomUUID } from 'node:crypto';
import { type Dialect, type Headers } from '../conformance/dialects.ts';
import { HttpConnection, type RequestOptions } from '../support/http.ts';
import {
  type Ending,
  type ConnectionBackend,
  type Listener,
  type Place,
  endingOf,
  messagesOf,
} from './link.ts';
import { PREFIX } from './settings.ts';

/** Node hangs up on a connection that has been idle for 5 s; ours are not used again that late. */
const LONGEST_IDLE = 2000;
const GONE: Ending = { code: 0, reason: 'left' };

export class HttpLink implements ConnectionBackend {
  readonly opened: Promise<Ending | undefined>;
  readonly over: Promise<Ending>;
  readonly #place: Place;
  readonly #dialect: Dialect;
  readonly #listener: Listener;
  readonly #session = `${PREFIX}/000/${randomUUID()}`;
  readonly #headers: Headers;
  readonly #receiving: HttpConnection;
  #sending: HttpConnection | undefined;
  #sentAt = 0;
  #turn: Promise<void> = Promise.resolve();
  #isLeaving = false;
  #hasOpened: () => void = () => {};

  constructor(place: Place, dialect: Dialect, listener: Listener) {
    this.#place = place;
    this.#dialect = dialect;
    this.#listener = listener;
    this.#headers = [['X-Forwarded-For', place.address]];
    this.#receiving = new HttpConnection(place.port);
    const opening = new Promise<undefined>((resolve) => {
      this.#hasOpened = () => resolve(undefined);
    });
    this.over = this.#live();
    this.opened = Promise.race([opening, this.over]);
  }

  /** One body after the other: the client waits for an answer before it sends the next. */
  send(...texts: readonly string[]): Promise<void> {
    this.#turn = this.#turn.then(() => this.#send(texts));
    return this.#turn;
  }

  /** Any body. @returns the status of the answer, or why none came */
  async post(body: string): Promise<number | string> {
    const isForm = this.#dialect.name === 'jsonp';
    const type = isForm ? 'application/x-www-form-urlencoded' : 'text/plain';
    try {
      const { status } = await this.#sender().ask({
        method: 'POST',
        path: `${this.#session}/${isForm ? 'jsonp_send' : 'xhr_send'}`,
        headers: [...this.#headers, ['Content-Type', type]],
        body: isForm ? `d=${encodeURIComponent(body)}` : body,
      });
      this.#sentAt = performance.now();
      return status;
    } catch (error) {
      this.#sending?.close();
      this.#sending = undefined;
      return String(error);
    }
  }

  pause(): void {
    this.#receiving.socket.pause();
  }

  resume(): void {
    this.#receiving.socket.resume();
  }

  leave(): void {
    this.#isLeaving = true;
    if (this.#dialect.streams) this.#receiving.close();
  }

  abort(): void {
    this.#isLeaving = true;
    this.#receiving.abort();
    this.#sending?.abort();
  }

  async #send(texts: readonly string[]): Promise<void> {
    const status = await this.post(JSON.stringify(texts));
    if (this.#isLeaving || status === 200 || status === 204) return;
    throw new Error(`sending was answered ${status}`);
  }

  #sender(): HttpConnection {
    if (this.#sending !== undefined && performance.now() - this.#sentAt < LONGEST_IDLE) {
      return this.#sending;
    }
    this.#sending?.close();
    this.#sending = new HttpConnection(this.#place.port);
    return this.#sending;
  }

  async #live(): Promise<Ending> {
    try {
      for (;;) {
        const ending = await this.#receive();
        if (ending !== undefined) return ending;
        if (this.#isLeaving) return GONE;
      }
    } catch (error) {
      return this.#isLeaving ? GONE : { code: 0, reason: String(error) };
    } finally {
      this.#isLeaving = true; // Nobody waits for what is still being sent.
      this.#receiving.close();
      this.#sending?.close();
    }
  }

  /** One request. @returns how the session ended, if it did */
  async #receive(): Promise<Ending | undefined> {
    const { method, target, streams, prelude } = this.#dialect;
    const request: RequestOptions = {
      method,
      path: `${this.#session}/${target}`,
      headers: this.#headers,
    };
    const head = await this.#receiving.send(request).readHead();
    const length = head.header('content-length');
    if (head.status !== 200) {
      return { code: head.status, reason: await this.#receiving.read(Number(length)) };
    }
    if (length !== undefined) return this.#take(await this.#receiving.read(Number(length)));
    if (streams && (await this.#receiving.nextChunk()) !== prelude) throw new Error('no prelude');
    let ending: Ending | undefined;
    for (;;) {
      const chunk = await this.#receiving.nextChunk();
      if (chunk === undefined) return ending;
      ending = this.#take(chunk);
    }
  }

  #take(chunk: string): Ending | undefined {
    const written = this.#dialect.frame.exec(chunk)?.[1];
    if (written === undefined) throw new Error(`no frame: ${chunk.slice(0, 100)}`);
    const frame = this.#dialect.decode(written);
    if (frame === 'o') this.#hasOpened();
    else if (frame.startsWith('c')) return endingOf(frame);
    else if (frame.startsWith('a')) {
      for (const text of messagesOf(frame)) this.#listener.message(text);
    }
    return undefined;
  }
}
