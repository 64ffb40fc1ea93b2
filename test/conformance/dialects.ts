/**
 * What a client knows of the HTTP transports, written down once more and without a look at the server's
 * own code: how to ask, what comes first, and how to find the frame in what arrives.
 */
import assert from 'node:assert/strict';
import {
  type Answer,
  HttpConnection,
  type RequestOptions,
  type ResponseHead,
  ask,
} from '../support/http.ts';

export type Headers = readonly (readonly [string, string])[];

export interface Dialect {
  readonly name: 'xhr' | 'xhr_streaming' | 'eventsource' | 'htmlfile' | 'jsonp';
  readonly method: 'GET' | 'POST';
  /** The last part of the session URL. */
  readonly target: string;
  readonly contentType: string;
  readonly streams: boolean;
  /** What comes before the first frame; '' for polling. */
  readonly prelude: string;
  /** How a frame is written. */
  wrap(frame: string): string;
  /** The frame in what was written, or undefined. */
  readonly frame: RegExp;
  /** What the client does to find the frame's text. */
  decode(written: string): string;
}

const HTMLFILE_HEAD = `<!doctype html>
<html><head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
</head><body><h2>Don't panic!</h2>
  <script>
    document.domain = document.domain;
    var c = parent.callback;
    c.start();
    function p(d) {c.message(d);};
    window.onload = function() {c.stop();};
  </script>
`;

function fromLiteral(literal: string): string {
  const text: unknown = JSON.parse(literal);
  assert.ok(typeof text === 'string');
  return text;
}

const same = (written: string): string => written;
const line = (frame: string): string => `${frame}\n`;

export const XHR: Dialect = {
  name: 'xhr',
  method: 'POST',
  target: 'xhr',
  contentType: 'application/javascript; charset=UTF-8',
  streams: false,
  prelude: '',
  wrap: line,
  frame: /^([^\n]*)\n$/,
  decode: same,
};

export const XHR_STREAMING: Dialect = {
  ...XHR,
  name: 'xhr_streaming',
  target: 'xhr_streaming',
  streams: true,
  prelude: `${'h'.repeat(2048)}\n`,
};

export const EVENTSOURCE: Dialect = {
  name: 'eventsource',
  method: 'GET',
  target: 'eventsource',
  contentType: 'text/event-stream',
  streams: true,
  prelude: '\r\n',
  wrap: (frame) => `data: ${frame}\r\n\r\n`,
  frame: /^data: ([^\r\n\0]*)\r\n\r\n$/,
  decode: decodeURI,
};

export const HTMLFILE: Dialect = {
  name: 'htmlfile',
  method: 'GET',
  target: 'htmlfile?c=callback',
  contentType: 'text/html; charset=UTF-8',
  streams: true,
  prelude: `${HTMLFILE_HEAD.padEnd(1025)}\r\n\r\n`,
  wrap: (frame) => `<script>\np(${JSON.stringify(frame)});\n</script>\r\n`,
  frame: /^<script>\np\(("[^\n]*")\);\n<\/script>\r\n$/,
  decode: fromLiteral,
};

export const JSONP: Dialect = {
  name: 'jsonp',
  method: 'GET',
  target: 'jsonp?c=callback',
  contentType: 'application/javascript; charset=UTF-8',
  streams: false,
  prelude: '',
  wrap: (frame) => `/**/callback(${JSON.stringify(frame)});\r\n`,
  frame: /^\/\*\*\/callback\(("[^\n]*")\);\r\n$/,
  decode: fromLiteral,
};

export const DIALECTS: readonly Dialect[] = [XHR, XHR_STREAMING, EVENTSOURCE, HTMLFILE, JSONP];
export const STREAMING: readonly Dialect[] = DIALECTS.filter(({ streams }) => streams);
export const POLLING: readonly Dialect[] = DIALECTS.filter(({ streams }) => !streams);

/** A receiving request on a connection of its own. */
export class Receiver {
  readonly connection: HttpConnection;
  readonly #dialect: Dialect;
  #head: ResponseHead | undefined;
  #ended = false;
  #begun: boolean;

  constructor(port: number, session: string, dialect: Dialect, request?: Partial<RequestOptions>) {
    this.connection = new HttpConnection(port);
    this.#dialect = dialect;
    this.#begun = !dialect.streams;
    const { method, target } = dialect;
    this.connection.send({ method, path: `${session}/${target}`, ...request });
  }

  async head(): Promise<ResponseHead> {
    this.#head ??= await this.connection.readHead();
    return this.#head;
  }

  /** The next chunk as it came, the prelude included; the whole body of an answer that has a length. */
  async chunk(): Promise<string | undefined> {
    const head = await this.head();
    if (this.#ended) return undefined;
    const length = head.header('content-length');
    const chunk =
      length === undefined
        ? await this.connection.nextChunk()
        : await this.connection.read(Number(length));
    this.#ended = length !== undefined || chunk === undefined;
    return chunk;
  }

  /** The text of the next frame; undefined at the answer's end. */
  async frame(): Promise<string | undefined> {
    if (!this.#begun) assert.equal(await this.chunk(), this.#dialect.prelude);
    this.#begun = true;
    const chunk = await this.chunk();
    if (chunk === undefined) return undefined;
    const written = this.#dialect.frame.exec(chunk)?.[1];
    assert.ok(written !== undefined, `not a frame: ${JSON.stringify(chunk.slice(0, 200))}`);
    return this.#dialect.decode(written);
  }

  /** All frames up to the answer's end. */
  async frames(): Promise<string[]> {
    const frames: string[] = [];
    for (let frame = await this.frame(); frame !== undefined; frame = await this.frame())
      frames.push(frame);
    return frames;
  }
}

/** One poll, or one whole streaming answer: its frames, joined. */
export async function poll(port: number, session: string, dialect = XHR): Promise<string> {
  const receiver = new Receiver(port, session, dialect);
  const frames = await receiver.frames();
  receiver.connection.close();
  return frames.join('\n');
}

/** Sends a body by `xhr_send` or `jsonp_send`, and gives the answer. */
export async function sendBody(
  port: number,
  session: string,
  body: string | Uint8Array,
  { target = 'xhr_send', headers = [] }: { target?: string; headers?: Headers } = {},
): Promise<Answer> {
  return ask(port, { method: 'POST', path: `${session}/${target}`, headers, body });
}

/** Sends messages by `xhr_send`. */
export async function send(port: number, session: string, ...messages: string[]): Promise<void> {
  const { status, body } = await sendBody(port, session, JSON.stringify(messages));
  assert.deepEqual({ status, body }, { status: 204, body: '' });
}

/** The messages in a frame `a[...]`. */
export function messagesIn(frame: string | undefined): unknown[] {
  assert.ok(frame?.startsWith('a[') === true, `no messages: ${frame?.slice(0, 200)}`);
  const messages: unknown = JSON.parse(frame.slice(1));
  assert.ok(Array.isArray(messages));
  return messages;
}
