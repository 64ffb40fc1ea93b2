/** A WebSocket client for tests: what arrives waits until it is asked for, and nothing is waited for without end. */
import assert from 'node:assert/strict';
import { type ClientOptions, WebSocket } from 'ws';

const DEADLINE = 10_000;

export interface CloseStatus {
  readonly code: number;
  readonly reason: string;
}

export class WebSocketClient {
  readonly socket: WebSocket;
  #arrived: (string | Buffer)[] = [];
  #closing: CloseStatus | undefined;
  #wake: (() => void) | undefined;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.binaryType = 'nodebuffer';
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      this.#arrived.push(isBinary ? data : data.toString('utf8'));
      this.#wake?.();
    });
    socket.on('close', (code, reason) => {
      this.#closing = { code, reason: reason.toString('utf8') };
      this.#wake?.();
    });
  }

  /** @param path below the server, such as '/echo/websocket' */
  static async open(
    port: number,
    path: string,
    options: ClientOptions = {},
  ): Promise<WebSocketClient> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, options);
    const client = new WebSocketClient(socket);
    await new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    socket.on('error', () => {}); // Followed by 'close'.
    return client;
  }

  send(data: string | Uint8Array): void {
    this.socket.send(data);
  }

  sendMessages(...messages: string[]): void {
    this.send(JSON.stringify(messages));
  }

  /** The next message; it fails if the connection closes first. */
  async next(): Promise<string | Buffer> {
    while (this.#arrived.length === 0) {
      assert.equal(this.#closing, undefined, 'the WebSocket is closed');
      await this.#more();
    }
    const message = this.#arrived.shift();
    assert.ok(message !== undefined);
    return message;
  }

  /** How it closed; messages that nobody asked for are an error. */
  async closed(): Promise<CloseStatus> {
    while (this.#closing === undefined) await this.#more();
    assert.deepEqual(this.#arrived, []);
    return this.#closing;
  }

  async #more(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`nothing came within ${DEADLINE} ms`)),
        DEADLINE,
      );
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
