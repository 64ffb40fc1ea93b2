/** A `WebSocketConnection` on a real socket, without HTTP before it and without sessions behind it. */
import assert from 'node:assert/strict';
import { type Socket, connect, createServer } from 'node:net';
import type { TestContext } from 'node:test';
import { MemoryBudget } from '../../../src/base/memory-budget.ts';
import { NodeWebSocket } from '../../../src/hosts/node/node-websocket.ts';
import type { HostSettings } from '../../../src/http/exchange.ts';
import type {
  WebSocketConnection,
  WebSocketListener,
} from '../../../src/http/websocket-connection.ts';
import { Reference } from './reference.ts';
import type { Told } from './wire.ts';
import { AsyncQueue } from '../../../testkit/async-queue.ts';

/** What a listener is told, in its order. */
class Listener implements WebSocketListener {
  readonly told: AsyncQueue<Told> = new AsyncQueue('something to be told');

  onText(text: string): void {
    this.told.push(['text', text]);
  }

  onBinary(data: Uint8Array): void {
    this.told.push(['binary', Buffer.from(data).toString('hex')]);
  }

  onDrain(): void {
    this.told.push(['drained']);
  }

  onFault(fault: string): void {
    this.told.push(['refused', fault]);
  }

  onClosed(code: number, reason: string): void {
    this.told.push(['closed', code, reason]);
  }

  onWriteTimeout(): void {
    this.told.push(['stalled']);
  }
}

/** The client's end, frame by frame. */
class Peer {
  readonly socket: Socket;
  readonly told: AsyncQueue<Told> = new AsyncQueue('a frame or the end');

  constructor(port: number) {
    const reference = new Reference(false);
    // Half open: what hangs up is said by each test.
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    this.socket.on('error', () => {});
    this.socket.on('data', (chunk: Buffer) => {
      reference.push(chunk);
      for (const told of reference.told.splice(0)) this.told.push(told);
    });
    this.socket.on('end', () => this.told.push(['end']));
  }

  send(...frames: readonly Uint8Array[]): this {
    this.socket.write(Buffer.concat(frames));
    return this;
  }
}

export interface Pair {
  readonly peer: Peer;
  readonly port: WebSocketConnection;
  readonly told: AsyncQueue<Told>;
  readonly budget: MemoryBudget;
  /** The server's end. */
  readonly socket: Socket;
}

const SETTINGS: HostSettings = {
  disableNagle: true,
  noKeepAlive: false,
  maxMessageBytes: 1_000_000,
  maxTotalBufferedBytes: 10_000_000,
  highWaterMark: 1000,
  bodyTimeout: 30_000,
  writeTimeout: 30_000,
};

/** A client and the port that serves it, until the test ends. @param head bytes that came with the upgrade */
export async function pair(
  t: TestContext,
  settings: Partial<HostSettings> = {},
  head?: Buffer,
): Promise<Pair> {
  const listener = new Listener();
  const budget = new MemoryBudget();
  const opened = new AsyncQueue<{ port: WebSocketConnection; socket: Socket }>('a connection');
  // As sockets of node:http are.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    if (head !== undefined) socket.unshift(Buffer.from(head));
    const port = new NodeWebSocket(socket, { ...SETTINGS, ...settings }, budget);
    port.listen(listener);
    opened.push({ port, socket });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const peer = new Peer(address.port);
  t.after(() => peer.socket.destroy());
  return { peer, budget, told: listener.told, ...(await opened.next()) };
}
