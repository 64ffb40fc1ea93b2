/** SockJS over HTTP, one request at a time, for tests that check each response. */
import assert from 'node:assert/strict';
import { IS_OVER_HTTP2 } from './http2-gateway.ts';
import type { Target } from './raw-connection.ts';
import {
  type Headers,
  RawHttpConnection,
  httpConnection,
  type RawRequest,
  type RawResponse,
  type ResponseHead,
  httpRequest,
} from './raw-http.ts';
import type { TestScope } from './scope.ts';
import {
  type HttpTransport,
  type OpenRequestOptions,
  type Transport,
  XHR,
  decodeFrame,
  newSession,
  openRequest,
} from './transports.ts';

/** One receiving request on its own connection. */
export class Receiver {
  readonly connection: RawHttpConnection;
  readonly #transport: HttpTransport;
  #head: ResponseHead | undefined;
  #hasEnded = false;
  #hasPrelude: boolean;
  #hasReadPrelude = false;
  #received: Buffer = Buffer.alloc(0);

  /** @param changes changes to the request */
  constructor(
    target: Target,
    session: string,
    transport: HttpTransport,
    changes: Partial<RawRequest> = {},
  ) {
    this.connection = new RawHttpConnection(target);
    this.#transport = transport;
    this.#hasPrelude = !transport.isStreaming;
    this.connection.send({ ...openRequest(transport, { session }), ...changes });
  }

  async head(): Promise<ResponseHead> {
    this.#head ??= await this.connection.readHead();
    return this.#head;
  }

  /** Reads the next chunk, including the prelude, or the whole body of a response with a length. */
  async chunk(): Promise<string | undefined> {
    const { contentLength } = await this.head();
    if (this.#hasEnded) return undefined;
    const chunk =
      contentLength === undefined
        ? await this.#nextChunk()
        : await this.connection.read(contentLength);
    this.#hasEnded = contentLength !== undefined || chunk === undefined;
    return chunk;
  }

  /** Reads the next chunk. HTTP/2 has no chunks, so the bytes up to the end of the prelude or of a frame are one. */
  async #nextChunk(): Promise<string | undefined> {
    if (!IS_OVER_HTTP2) return this.connection.nextChunk();
    for (;;) {
      const length = this.#lengthOfPart();
      if (length !== undefined) {
        const part = this.#received.toString('utf8', 0, length);
        this.#received = this.#received.subarray(length);
        this.#hasReadPrelude = true;
        return part;
      }
      const bytes = await this.connection.nextChunkBytes();
      if (bytes === undefined) {
        assert.equal(this.#received.length, 0, 'the response ended within a frame');
        return undefined;
      }
      this.#received = Buffer.concat([this.#received, bytes]);
    }
  }

  /** Returns the length of the received prelude or frame in bytes, or undefined if it is incomplete. */
  #lengthOfPart(): number | undefined {
    const text = this.#received.toString();
    const { isStreaming, pattern, prelude } = this.#transport;
    if (isStreaming && !this.#hasReadPrelude)
      return text.length < prelude.length ? undefined : prelude.length;
    const match = new RegExp(pattern, 'y').exec(text);
    return match === null ? undefined : Buffer.byteLength(match[0]);
  }

  /** Reads the next frame, which must be one chunk. Returns undefined at the end of the response. */
  async frame(): Promise<string | undefined> {
    if (!this.#hasPrelude) assert.equal(await this.chunk(), this.#transport.prelude);
    this.#hasPrelude = true;
    const chunk = await this.chunk();
    return chunk === undefined ? undefined : decodeFrame(this.#transport, chunk);
  }

  /** Reads all frames up to the end of the response. */
  async frames(): Promise<string[]> {
    const frames: string[] = [];
    for (;;) {
      const frame = await this.frame();
      if (frame === undefined) return frames;
      frames.push(frame);
    }
  }

  close(): void {
    this.connection.close();
  }

  abort(): void {
    this.connection.abort();
  }
}

/**
 * Sends the request that opens a session on any transport, reads the head of the response, and keeps the
 * connection until the end of the test.
 */
export async function requestSession(
  scope: TestScope,
  target: Target,
  transport: Transport,
  options?: OpenRequestOptions,
): Promise<{ readonly connection: RawHttpConnection; readonly status: number }> {
  const connection = httpConnection(scope, target);
  const { status } = await connection.send(openRequest(transport, options)).readHead();
  return { connection, status };
}

/** Reads one poll or one whole streaming response. @returns its frames, one per line */
export async function poll(
  target: Target,
  session: string,
  transport: HttpTransport = XHR,
  changes?: Partial<RawRequest>,
): Promise<string> {
  const receiver = new Receiver(target, session, transport, changes);
  try {
    return (await receiver.frames()).join('\n');
  } finally {
    receiver.close();
  }
}

export interface PostOptions {
  /** Default: `xhr_send`. */
  readonly endpoint?: string;
  readonly headers?: Headers;
}

/** Posts a body to a sending endpoint, and returns the response. */
export async function postBody(
  target: Target,
  session: string,
  body: string | Uint8Array,
  { endpoint = 'xhr_send', headers = [] }: PostOptions = {},
): Promise<RawResponse> {
  return httpRequest(target, { method: 'POST', path: `${session}/${endpoint}`, headers, body });
}

/** Sends messages by `xhr_send`. @throws AssertionError unless the response is an empty 204 */
export async function sendMessages(
  target: Target,
  session: string,
  ...messages: readonly string[]
): Promise<void> {
  const { status, body } = await postBody(target, session, JSON.stringify(messages));
  assert.deepEqual({ status, body }, { status: 204, body: '' });
}

/** Checks that an echo service at `/echo` works: opens a session, sends a message and receives it. */
export async function assertServes(target: Target, session: string = newSession()): Promise<void> {
  assert.equal(await poll(target, session), 'o');
  await sendMessages(target, session, 'hello');
  assert.equal(await poll(target, session), 'a["hello"]');
}
