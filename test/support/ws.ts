/** A WebSocket client of `ws` whose messages are awaited one by one. */
import assert from 'node:assert/strict';
import { type EventEmitter, on, once } from 'node:events';
import type { TestContext } from 'node:test';
import { WebSocket } from 'ws';

const PATIENCE = 5000;

export interface WebSocketClient {
  readonly socket: WebSocket;
  /** The next message as text. */
  next(): Promise<string>;
  send(text: string): void;
  /** Settles when the socket has closed. */
  closed(): Promise<{ code: number; reason: string }>;
}

/** Opens a WebSocket; it is ended with the test. */
export async function connectWebSocket(t: TestContext, url: string): Promise<WebSocketClient> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'));
  t.after(() => socket.terminate());
  const signal = AbortSignal.timeout(PATIENCE);
  const emitter: EventEmitter = socket;
  const messages = on(emitter, 'message', { signal });
  const closing = once(emitter, 'close', { signal });
  closing.catch(() => undefined); // Awaited by those who ask.
  await once(emitter, 'open', { signal });
  return {
    socket,
    async next() {
      const result: IteratorResult<unknown[]> = await messages.next();
      assert.ok(result.done !== true);
      return String(result.value[0]);
    },
    send: (text) => socket.send(text),
    async closed() {
      const [code, reason] = (await closing) as unknown[];
      return { code: Number(code), reason: String(reason) };
    },
  };
}
