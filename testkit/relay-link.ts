/** Links between nodes of a cluster, of which a test controls the frames of one end. */
import { once } from 'node:events';
import { createServer, request as sendRequest } from 'node:http';
import type { Duplex } from 'node:stream';
import { FRAME_TYPES, FrameParser, type RelayFrame, encodeHead } from '../src/relay/frames.ts';
import { formatSecret } from '../src/relay/handshake.ts';
import { AsyncQueue } from './async-queue.ts';
import type { TestScope } from './scope.ts';
import { portOf } from './server.ts';
import { within } from './until.ts';

/** One end of a link. */
export class TestLink {
  readonly socket: Duplex;
  readonly #frames = new AsyncQueue<RelayFrame>('a frame');
  readonly #closed: Promise<unknown>;

  constructor(socket: Duplex) {
    this.socket = socket;
    const parser = new FrameParser((frame) => {
      this.#frames.push({ ...frame, payload: Buffer.from(frame.payload) });
    });
    this.#closed = once(socket, 'close');
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => parser.push(chunk));
    socket.on('end', () => socket.end());
    socket.on('close', () => this.#frames.end(new Error('The link has ended.')));
  }

  send(...frames: readonly Buffer[]): this {
    for (const frame of frames) this.socket.write(frame);
    return this;
  }

  /** Number of frames that have arrived and were not taken. */
  get available(): number {
    return this.#frames.size;
  }

  next(): Promise<RelayFrame> {
    return this.#frames.next();
  }

  async closed(): Promise<void> {
    await within(this.#closed, 'the end of the link');
  }
}

/** Encodes a request without a body. */
export function encodeRequestFrame(stream: number, method: string, url: string): Buffer {
  const head = [method, url, '', 'http 127.0.0.1', '0'].join('\n');
  return encodeHead(FRAME_TYPES.request, stream, head, '', true);
}

export interface LinkOptions {
  readonly secret: string;
  /** Name of the owner. */
  readonly node: string;
}

/** Opens a link to a relay listener. It ends with the test. */
export async function connectLink(
  scope: TestScope,
  port: number,
  { secret, node }: LinkOptions,
): Promise<TestLink> {
  const headers = {
    'sockjs-relay': formatSecret(secret),
    'sockjs-relay-owner': node,
    connection: 'Upgrade',
    upgrade: 'sockjs-relay',
  };
  const request = sendRequest({ agent: false, host: '127.0.0.1', port, headers });
  const socket = await new Promise<Duplex>((resolve, reject) => {
    request.on('upgrade', (_response, upgraded: Duplex) => resolve(upgraded));
    request.on('response', ({ statusCode }) => reject(new Error(`The status is ${statusCode}.`)));
    request.on('error', reject);
    request.end();
  });
  scope.after(() => void socket.destroy());
  return new TestLink(socket);
}

/** Starts an owner that accepts every link. @returns its port */
export async function startOwner(
  scope: TestScope,
  onLink: (socket: Duplex) => void,
): Promise<number> {
  const sockets = new Set<Duplex>();
  const server = createServer();
  server.on('upgrade', (_request, socket: Duplex) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: sockjs-relay\r\n\r\n',
    );
    onLink(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  scope.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return portOf(server);
}
