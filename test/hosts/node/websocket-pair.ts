/** A `NodeWebSocket`, with or without compression, and its client on a real socket, without a handshake and without sessions. */
import { type Socket, createServer } from 'node:net';
import type { TestContext } from 'node:test';
import { type ClientMemory, MemoryBudget } from '../../../src/base/memory-budget.ts';
import { type MemoryInput, clientMemory } from '../../base/client-memory.ts';
import { CompressedWebSocket } from '../../../src/hosts/node/compressed-websocket.ts';
import { NodeWebSocket } from '../../../src/hosts/node/node-websocket.ts';
import type { HostSettings } from '../../../src/http/exchange.ts';
import type {
  WebSocketConnection,
  WebSocketListener,
} from '../../../src/http/websocket-connection.ts';
import { AsyncQueue } from '../../../testkit/async-queue.ts';
import {
  ConnectionEndedError,
  type RawConnection,
  rawConnection,
} from '../../../testkit/raw-connection.ts';
import { listen } from '../../../testkit/server.ts';
import {
  OPCODE,
  type WsFrame,
  decodeClose,
  decodeText,
  inflate,
  readServerFrame,
} from '../../../testkit/websocket-frames.ts';
import type { WsEvent } from '../../websocket/frame-recorder.ts';

class RecordingListener implements WebSocketListener {
  readonly events: AsyncQueue<WsEvent> = new AsyncQueue('an event of the WebSocket');
  /** Number of frames without a message. */
  frames = 0;
  sendLast: () => void = () => undefined;

  onText(text: string): void {
    this.events.push(['text', text]);
  }

  onBinary(data: Uint8Array): void {
    this.events.push(['binary', Buffer.from(data).toString('hex')]);
  }

  onFrames(count: number): void {
    this.frames += count;
  }

  onDrain(): void {
    this.events.push(['drain']);
  }

  /** Sends what the test left for it, as a session does. */
  onClosing(): void {
    this.sendLast();
  }

  onFault(fault: string): void {
    this.events.push(['fault', fault]);
  }

  onClosed(code: number, reason: string): void {
    this.events.push(['closed', code, reason]);
  }

  onWriteTimeout(): void {
    this.events.push(['writeTimeout']);
  }
}

function eventOf({ opcode, payload, isCompressed }: WsFrame): WsEvent {
  if (isCompressed) return ['compressed', inflate(payload).toString()];
  if (opcode === OPCODE.text) return ['text', decodeText(payload)];
  if (opcode === OPCODE.binary) return ['binary', payload.toString('hex')];
  if (opcode === OPCODE.ping) return ['ping', payload.toString('hex')];
  if (opcode === OPCODE.pong) return ['pong', payload.toString('hex')];
  const { code, reason } = decodeClose(payload);
  return ['close', code, reason];
}

/** Sends frames as they are, and replies to none: each test decides about pongs, close frames and the end. */
class FrameClient {
  readonly raw: RawConnection;
  /** Frames of the server in their order, and `end`. */
  readonly events: AsyncQueue<WsEvent> = new AsyncQueue('a frame or the end');

  constructor(raw: RawConnection, allowsCompression: boolean) {
    this.raw = raw;
    void this.#read(allowsCompression);
  }

  send(...frames: readonly Uint8Array[]): this {
    this.raw.write(Buffer.concat(frames));
    return this;
  }

  async #read(allowsCompression: boolean): Promise<void> {
    try {
      for (;;) this.events.push(eventOf(await readServerFrame(this.raw, allowsCompression)));
    } catch (error) {
      if (error instanceof ConnectionEndedError) this.events.push(['end']);
      else this.events.end(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

export interface WebSocketPair {
  readonly client: FrameClient;
  readonly webSocket: WebSocketConnection;
  readonly listener: RecordingListener;
  /** Events of the listener. */
  readonly events: AsyncQueue<WsEvent>;
  readonly budget: MemoryBudget;
  /** The server's end. */
  readonly socket: Socket;
}

const SETTINGS: HostSettings = {
  compression: false,
  disableNagle: true,
  noKeepAlive: false,
  maxMessageBytes: 1_000_000,
  bodyTimeout: 30_000,
  writeTimeout: 30_000,
  sendTimeLimit: 180_000,
};

function createWebSocket(
  socket: Socket,
  settings: HostSettings,
  memory: ClientMemory,
): NodeWebSocket {
  const { compression } = settings;
  if (compression === false) return new NodeWebSocket(socket, settings, memory);
  return new CompressedWebSocket(socket, settings, memory, compression.threshold ?? 0);
}

/** @param head bytes that came with the upgrade */
export async function webSocketPair(
  t: TestContext,
  settings: Partial<HostSettings> & MemoryInput = {},
  head?: Buffer,
): Promise<WebSocketPair> {
  const listener = new RecordingListener();
  const budget = new MemoryBudget();
  const memory = clientMemory(settings, budget);
  const opened = new AsyncQueue<{ webSocket: WebSocketConnection; socket: Socket }>('a connection');
  // Half open, as sockets of `node:http` are.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    if (head !== undefined) socket.unshift(Buffer.from(head));
    const webSocket = createWebSocket(socket, { ...SETTINGS, ...settings }, memory);
    webSocket.listen(listener);
    opened.push({ webSocket, socket });
  });
  t.after(() => server.close());
  const target = { port: await listen(server), allowHalfOpen: true };
  const connection = rawConnection(t, target, { timeout: Infinity });
  const client = new FrameClient(connection, (settings.compression ?? false) !== false);
  return { client, budget, listener, events: listener.events, ...(await opened.next()) };
}
