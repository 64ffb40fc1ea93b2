/**
 * A raw HTTP client for tests: it sends the very bytes that it is given, keeps order and repetition of
 * headers, and hands out a chunked body chunk by chunk as it arrives. Whatever does not come within the
 * deadline is an error, so that no test hangs.
 */
import { type Socket, connect } from 'node:net';

/** In milliseconds. Far more than an answer takes, far less than a test runner waits. */
const DEADLINE = 10_000;

export interface RequestOptions {
  readonly method?: string;
  /** The request target, sent as it is. */
  readonly path: string;
  /** Names and values; `Host` and a `Content-Length` for the body are added where they are missing. */
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string | Uint8Array;
  readonly version?: '1.0' | '1.1';
}

/** An answer that has been read to its end. */
export interface Answer {
  readonly head: ResponseHead;
  readonly status: number;
  readonly body: string;
}

/** The bytes of a request. */
export function encodeRequest(options: RequestOptions): Buffer {
  const { method = 'GET', path, headers = [], body, version = '1.1' } = options;
  const lines = [`${method} ${path} HTTP/${version}`];
  const names = new Set(headers.map(([name]) => name.toLowerCase()));
  if (!names.has('host') && version === '1.1') lines.push('Host: localhost');
  for (const [name, value] of headers) lines.push(`${name}: ${value}`);
  const announced = names.has('content-length') || names.has('transfer-encoding');
  const bytes = Buffer.from(body ?? '');
  if (!announced && (body !== undefined || method === 'POST'))
    lines.push(`Content-Length: ${bytes.length}`);
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), bytes]);
}

export class ResponseHead {
  readonly version: string;
  readonly status: number;
  /** Names and values in the order in which they came. */
  readonly headers: readonly (readonly [string, string])[];

  constructor(statusLine: string, headerLines: readonly string[]) {
    const match = /^HTTP\/(1\.[01]) (\d{3})(?: |$)/.exec(statusLine);
    if (match === null) throw new Error(`not a status line: ${JSON.stringify(statusLine)}`);
    this.version = match[1] ?? '';
    this.status = Number(match[2]);
    this.headers = headerLines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
    });
  }

  /** All values of a header, whatever the case of its name. */
  all(name: string): string[] {
    const wanted = name.toLowerCase();
    return this.headers.filter(([key]) => key.toLowerCase() === wanted).map(([, value]) => value);
  }

  /** The value of a header that comes at most once. */
  header(name: string): string | undefined {
    const values = this.all(name);
    if (values.length > 1) throw new Error(`${name} came ${values.length} times`);
    return values[0];
  }
}

/** One connection to a server on 127.0.0.1. Requests may be pipelined; answers are read in order. */
export class HttpConnection {
  readonly socket: Socket;
  #bytes = Buffer.alloc(0);
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (data: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, data]);
      this.#wake?.();
    });
    const end = (): void => {
      this.#ended = true;
      this.#wake?.();
    };
    this.socket.on('end', end).on('close', end).on('error', end);
  }

  send(request: RequestOptions | string | Uint8Array): this {
    const asIs = typeof request === 'string' || request instanceof Uint8Array;
    this.socket.write(asIs ? request : encodeRequest(request));
    return this;
  }

  /** The head of the next answer. */
  async readHead(): Promise<ResponseHead> {
    const statusLine = await this.#line();
    const lines: string[] = [];
    for (let line = await this.#line(); line !== ''; line = await this.#line()) lines.push(line);
    return new ResponseHead(statusLine, lines);
  }

  /** The next chunk of a chunked body; undefined after the last one. */
  async nextChunk(): Promise<string | undefined> {
    const size = Number.parseInt(await this.#line(), 16);
    const data = await this.read(size);
    if ((await this.#line()) !== '') throw new Error('a chunk is longer than announced');
    return size === 0 ? undefined : data;
  }

  /** The rest of a chunked body. */
  async chunks(): Promise<string[]> {
    const chunks: string[] = [];
    for (let chunk = await this.nextChunk(); chunk !== undefined; chunk = await this.nextChunk())
      chunks.push(chunk);
    return chunks;
  }

  /** Exactly so many bytes, as text. */
  async read(length: number): Promise<string> {
    await this.#until(() => this.#bytes.length >= length);
    return this.#take(length).toString('utf8');
  }

  /** Waits for the server to close the connection, and gives what came until then. */
  async readToEnd(): Promise<string> {
    while (!this.#ended) await this.#more();
    return this.#take(this.#bytes.length).toString('utf8');
  }

  /** The next answer with its whole body. @param method of the request that it answers */
  async answer(method = 'GET'): Promise<Answer> {
    const head = await this.readHead();
    return { head, status: head.status, body: await this.#body(head, method) };
  }

  /** Sends a request and reads its whole answer. */
  async ask(request: RequestOptions): Promise<Answer> {
    return this.send(request).answer(request.method);
  }

  /** Resets the connection, as when a client vanishes. */
  abort(): void {
    this.socket.resetAndDestroy();
  }

  close(): void {
    this.socket.destroy();
  }

  async #body(head: ResponseHead, method: string): Promise<string> {
    if (method === 'HEAD' || [101, 204, 304].includes(head.status)) return '';
    if (head.header('transfer-encoding') === 'chunked') return (await this.chunks()).join('');
    const length = head.header('content-length');
    return length === undefined ? this.readToEnd() : this.read(Number(length));
  }

  async #line(): Promise<string> {
    await this.#until(() => this.#bytes.includes('\r\n'));
    return this.#take(this.#bytes.indexOf('\r\n') + 2)
      .toString('latin1')
      .slice(0, -2);
  }

  #take(length: number): Buffer {
    const taken = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(length);
    return taken;
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.#ended) throw new Error(`the connection ended after ${this.#quoteForLog()}`);
      await this.#more();
    }
  }

  async #more(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`nothing came within ${DEADLINE} ms after ${this.#quoteForLog()}`));
      }, DEADLINE);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #quoteForLog(): string {
    return JSON.stringify(this.#bytes.subarray(0, 200).toString('latin1'));
  }
}

/** One request on a connection of its own. */
export async function ask(port: number, request: RequestOptions): Promise<Answer> {
  const connection = new HttpConnection(port);
  try {
    return await connection.ask(request);
  } finally {
    connection.close();
  }
}
