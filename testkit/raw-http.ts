/**
 * HTTP/1 as bytes: requests are sent exactly as given, headers keep their order and repetition, and a chunked body is
 * read chunk by chunk. Requests may be pipelined, and responses are read in order.
 */
import type { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import { RawConnection, type ReadOptions, type Target } from './raw-connection.ts';
import type { TestScope } from './scope.ts';
import type { WaitOptions } from './until.ts';

export type Headers = readonly (readonly [name: string, value: string])[];

export interface RawRequest {
  readonly method?: string;
  /** Request target, which is sent unchanged. */
  readonly path: string;
  /** `Host`, and `Content-Length` for a body or a POST, are added if they are missing. */
  readonly headers?: Headers;
  readonly body?: string | Uint8Array;
  readonly version?: '1.0' | '1.1';
}

/** A response that has been read to its end. */
export interface RawResponse {
  readonly status: number;
  readonly head: ResponseHead;
  readonly body: string;
}

/** Encodes a request. */
export function encodeRequest(request: RawRequest): Buffer {
  const { method = 'GET', path, headers = [], body, version = '1.1' } = request;
  const lines = [`${method} ${path} HTTP/${version}`];
  const names = new Set(headers.map(([name]) => name.toLowerCase()));
  if (!names.has('host') && version === '1.1') lines.push('Host: localhost');
  for (const [name, value] of headers) lines.push(`${name}: ${value}`);
  const hasLength = names.has('content-length') || names.has('transfer-encoding');
  const bytes = Buffer.from(body ?? '');
  if (!hasLength && (body !== undefined || method === 'POST'))
    lines.push(`Content-Length: ${bytes.length}`);
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), bytes]);
}

export class ResponseHead {
  readonly version: string;
  readonly status: number;
  /** Names and values, in the order received. */
  readonly headers: Headers;

  constructor(statusLine: string, headerLines: readonly string[]) {
    const match = /^HTTP\/(1\.[01]) (\d{3})(?: |$)/.exec(statusLine);
    if (match === null) throw new Error(`Not a status line: ${JSON.stringify(statusLine)}`);
    this.version = match[1] ?? '';
    this.status = Number(match[2]);
    this.headers = headerLines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
    });
  }

  /** Returns all values of a header. The name is case-insensitive. */
  all(name: string): string[] {
    const wanted = name.toLowerCase();
    return this.headers.filter(([key]) => key.toLowerCase() === wanted).map(([, value]) => value);
  }

  /** Returns the value of a header. @throws an error if the header is repeated */
  header(name: string): string | undefined {
    const values = this.all(name);
    if (values.length > 1) throw new Error(`${name} came ${values.length} times.`);
    return values[0];
  }

  get isChunked(): boolean {
    return this.header('transfer-encoding') === 'chunked';
  }

  /** `Content-Length`. */
  get contentLength(): number | undefined {
    const length = this.header('content-length');
    return length === undefined ? undefined : Number(length);
  }

  /** True if the server closes the connection after this response. */
  get closesConnection(): boolean {
    const connection = this.header('connection')?.toLowerCase();
    if (connection !== undefined) return connection === 'close';
    return this.version === '1.0';
  }
}

const WITHOUT_BODY = new Set([100, 101, 204, 304]);

export class RawHttpConnection {
  /** The connection below, for tests that read single bytes. */
  readonly raw: RawConnection;

  constructor(target: Target, options?: ReadOptions) {
    this.raw = new RawConnection(target, options);
  }

  get stream(): Duplex {
    return this.raw.stream;
  }

  get socket(): Socket {
    return this.raw.socket;
  }

  send(request: RawRequest | string | Uint8Array): this {
    const isRaw = typeof request === 'string' || request instanceof Uint8Array;
    this.raw.write(isRaw ? request : encodeRequest(request));
    return this;
  }

  async readHead(options?: WaitOptions): Promise<ResponseHead> {
    const statusLine = await this.raw.readLine(options);
    const lines: string[] = [];
    for (;;) {
      const line = await this.raw.readLine(options);
      if (line === '') return new ResponseHead(statusLine, lines);
      lines.push(line);
    }
  }

  /** Reads the next chunk of a chunked body. Returns undefined after the last one. */
  async nextChunkBytes(options?: WaitOptions): Promise<Buffer | undefined> {
    const line = await this.raw.readLine(options);
    if (!/^[0-9a-f]+$/i.test(line)) throw new Error(`Not a chunk size: ${JSON.stringify(line)}`);
    const size = Number.parseInt(line, 16);
    const data = await this.raw.readBytes(size, options);
    if ((await this.raw.readLine(options)) !== '') {
      throw new Error('A chunk is longer than its size.');
    }
    return size === 0 ? undefined : data;
  }

  /** Reads the next chunk as text. Use `nextChunkBytes` if a character may be split between chunks. */
  async nextChunk(options?: WaitOptions): Promise<string | undefined> {
    return (await this.nextChunkBytes(options))?.toString('utf8');
  }

  /** Reads the remaining chunks of a chunked body. */
  async chunks(options?: WaitOptions): Promise<string[]> {
    const chunks: string[] = [];
    for (;;) {
      const chunk = await this.nextChunk(options);
      if (chunk === undefined) return chunks;
      chunks.push(chunk);
    }
  }

  /** Reads exactly `length` bytes as text. */
  async read(length: number, options?: WaitOptions): Promise<string> {
    return (await this.raw.readBytes(length, options)).toString('utf8');
  }

  /** Waits for the server to close the connection, and returns the text until then. */
  async readToEnd(options?: WaitOptions): Promise<string> {
    return (await this.raw.readToEnd(options)).toString('utf8');
  }

  /** Reads the body part by part as it arrives, with any framing. */
  async *bodyParts(
    head: ResponseHead,
    { method = 'GET', ...options }: WaitOptions & { readonly method?: string } = {},
  ): AsyncGenerator<Buffer, void, void> {
    if (method === 'HEAD' || WITHOUT_BODY.has(head.status)) return;
    if (head.isChunked) {
      for (;;) {
        const chunk = await this.nextChunkBytes(options);
        if (chunk === undefined) return;
        yield chunk;
      }
    }
    const { contentLength } = head;
    if (contentLength !== undefined) {
      yield await this.raw.readBytes(contentLength, options);
      return;
    }
    for (;;) {
      const part = await this.raw.readSome(options);
      if (part === undefined) return;
      yield part;
    }
  }

  /** Reads the next response with its whole body. @param method method of its request */
  async response(method = 'GET', options?: WaitOptions): Promise<RawResponse> {
    const head = await this.readHead(options);
    const parts: Buffer[] = [];
    for await (const part of this.bodyParts(head, { method, ...options })) parts.push(part);
    return { head, status: head.status, body: Buffer.concat(parts).toString('utf8') };
  }

  /** Sends a request and reads its whole response. */
  async request(request: RawRequest, options?: WaitOptions): Promise<RawResponse> {
    return this.send(request).response(request.method, options);
  }

  /** Resets the connection, as a client that crashes does. */
  abort(): void {
    this.raw.abort();
  }

  close(): void {
    this.raw.close();
  }
}

/** Sends one request on its own connection, and reads the response. */
export async function httpRequest(
  target: Target,
  request: RawRequest,
  options?: WaitOptions,
): Promise<RawResponse> {
  const connection = new RawHttpConnection(target);
  try {
    return await connection.request(request, options);
  } finally {
    connection.close();
  }
}

/** Opens an HTTP connection that is closed at the end of the test. */
export function httpConnection(
  scope: TestScope,
  target: Target,
  options?: ReadOptions,
): RawHttpConnection {
  const connection = new RawHttpConnection(target, options);
  scope.after(() => connection.close());
  return connection;
}

/**
 * Creates a client that sends a request and never reads, so that the response fills the buffers of the system and then
 * of the server. `resume()` of its `raw` connection starts reading.
 */
export function neverReadingClient(
  scope: TestScope,
  target: Target,
  request: RawRequest,
): RawHttpConnection {
  const connection = httpConnection(scope, target);
  connection.raw.pause();
  return connection.send(request);
}
