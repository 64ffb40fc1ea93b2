/**
 * Sessions by raw HTTP: for the transports that need a browser's document (htmlfile, jsonp), and to choose
 * what each request carries and which connection it takes.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import { type Answer, HttpConnection, ask } from '../../test/support/http.ts';

type Headers = readonly (readonly [string, string])[];

export interface RawOptions {
  readonly prefix?: string;
  readonly server?: string;
  readonly headers?: Headers;
  readonly version?: '1.0' | '1.1';
}

export class RawSession {
  readonly #port: number;
  readonly #base: string;
  readonly #headers: Headers;
  readonly #version: '1.0' | '1.1';

  constructor(port: number, options: RawOptions = {}) {
    const { prefix = '/echo', server = '000', headers = [], version = '1.1' } = options;
    this.#port = port;
    this.#base = `${prefix}/${server}/${randomUUID()}`;
    this.#headers = [['Host', `127.0.0.1:${port}`], ...headers];
    this.#version = version;
  }

  #request(method: string, transport: string, body?: string, type?: string) {
    return {
      method,
      path: `${this.#base}/${transport}`,
      headers:
        type === undefined ? this.#headers : [...this.#headers, ['Content-Type', type] as const],
      version: this.#version,
      ...(body === undefined ? {} : { body }),
    };
  }

  /** One `xhr` poll, on a connection of its own. */
  poll(): Promise<Answer> {
    return ask(this.#port, this.#request('POST', 'xhr'));
  }

  /** One `jsonp` poll. @returns the frame */
  async jsonp(): Promise<string> {
    const { status, body } = await ask(this.#port, this.#request('GET', 'jsonp?c=cb'));
    assert.equal(status, 200, body);
    const quoted = /^\/\*\*\/cb\((".*")\);\r\n$/.exec(body)?.[1];
    assert.ok(quoted !== undefined, body);
    return String(JSON.parse(quoted));
  }

  async jsonpSend(...messages: readonly string[]): Promise<void> {
    const form = new URLSearchParams({ d: JSON.stringify(messages) }).toString();
    const type = 'application/x-www-form-urlencoded';
    const { status, body } = await ask(this.#port, this.#request('POST', 'jsonp_send', form, type));
    assert.deepEqual({ status, body }, { status: 200, body: 'ok' });
  }

  async send(...messages: readonly string[]): Promise<void> {
    const request = this.#request('POST', 'xhr_send', JSON.stringify(messages), 'text/plain');
    const { status, body } = await ask(this.#port, request);
    assert.equal(status, 204, body);
  }

  /** Opens a streaming answer that lasts until the test ends. */
  async stream(t: TestContext, transport: 'htmlfile?c=cb' | 'xhr_streaming'): Promise<Stream> {
    const connection = new HttpConnection(this.#port);
    t.after(() => connection.close());
    const method = transport === 'xhr_streaming' ? 'POST' : 'GET';
    connection.send(this.#request(method, transport));
    const head = await connection.readHead();
    assert.equal(head.status, 200);
    return new Stream(connection, head.header('transfer-encoding') === 'chunked');
  }
}

/** A body that goes on, whose chunks a proxy may have cut anew. */
export class Stream {
  readonly #connection: HttpConnection;
  readonly #chunked: boolean;
  #text = '';

  constructor(connection: HttpConnection, chunked: boolean) {
    this.#connection = connection;
    this.#chunked = chunked;
  }

  /** Reads on until the pattern has come, and takes all up to its end. */
  async next(pattern: RegExp): Promise<string> {
    for (;;) {
      const match = pattern.exec(this.#text);
      if (match !== null) {
        this.#text = this.#text.slice(match.index + match[0].length);
        return match[0];
      }
      this.#text += await this.#more();
    }
  }

  async #more(): Promise<string> {
    if (!this.#chunked) return this.#connection.read(1);
    const chunk = await this.#connection.nextChunk();
    assert.ok(chunk !== undefined, `the answer has ended after ${this.#text}`);
    return chunk;
  }
}
