/** A session over a WebSocket, with SockJS frames or raw. */
import { randomUUID } from 'node:crypto';
import { WebSocket } from 'ws';
import {
  type Ending,
  type ConnectionBackend,
  type Listener,
  type Place,
  endingOf,
  messagesOf,
} from './link.ts';
import { PREFIX } from './settings.ts';

export class WebSocketLink implements ConnectionBackend {
  readonly opened: Promise<Ending | undefined>;
  readonly over: Promise<Ending>;
  readonly #socket: WebSocket;
  readonly #isRaw: boolean;
  readonly #listener: Listener;
  #hasOpened: () => void = () => {};
  #said: Ending | undefined;

  constructor({ port, address }: Place, isRaw: boolean, listener: Listener) {
    this.#isRaw = isRaw;
    this.#listener = listener;
    const path = isRaw ? 'websocket' : `000/${randomUUID()}/websocket`;
    const headers = { 'X-Forwarded-For': address };
    const socket = new WebSocket(`ws://127.0.0.1:${port}${PREFIX}/${path}`, { headers });
    this.#socket = socket;
    const opening = new Promise<undefined>((resolve) => {
      this.#hasOpened = () => resolve(undefined);
    });
    this.over = new Promise((resolve) => {
      socket.on('unexpected-response', (_request, response) => {
        resolve({ code: response.statusCode ?? 0, reason: 'refused' });
        socket.terminate();
      });
      socket.on('close', (code, reason) =>
        resolve(this.#said ?? { code, reason: reason.toString() }),
      );
    });
    socket.on('error', () => {}); // Followed by 'close'.
    socket.on('open', () => {
      if (isRaw) this.#hasOpened();
    });
    socket.on('message', (data: Buffer) => this.#take(data.toString('utf8')));
    this.opened = Promise.race([opening, this.over]);
  }

  send(...texts: readonly string[]): Promise<void> {
    if (!this.#isRaw) this.#socket.send(JSON.stringify(texts));
    else for (const text of texts) this.#socket.send(text);
    return Promise.resolve();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  leave(): void {
    this.#socket.close(1000);
  }

  abort(): void {
    this.#socket.terminate();
  }

  #take(text: string): void {
    if (this.#isRaw) this.#listener.message(text);
    else if (text === 'o') this.#hasOpened();
    else if (text.startsWith('c')) this.#said = endingOf(text);
    else if (text.startsWith('a')) {
      for (const message of messagesOf(text)) this.#listener.message(message);
    }
  }
}
