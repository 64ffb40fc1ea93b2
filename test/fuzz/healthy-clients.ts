/** Two healthy clients of one server, which have to get their messages, in order, whatever others do to it. */
import assert from 'node:assert/strict';
import { messagesIn, poll, send } from '../conformance/dialects.ts';
import { WebSocketClient } from '../conformance/web-socket.ts';
import { Queue } from '../support/client.ts';

/** What others may have sent to everybody. */
function isMine(message: unknown): boolean {
  return message !== 'all';
}

async function nextOwn(next: () => Promise<unknown>): Promise<unknown> {
  for (;;) {
    const message = await next();
    if (isMine(message)) return message;
  }
}

class Poller {
  readonly #port: number;
  readonly #session: string;
  readonly #messages = new Queue<{ readonly text: unknown }>('an echo over XHR');
  readonly #over: Promise<void>;

  private constructor(port: number, session: string) {
    this.#port = port;
    this.#session = session;
    this.#over = this.#poll();
    this.#over.catch(() => undefined); // Seen by those who end it.
  }

  static async open(port: number, session: string): Promise<Poller> {
    assert.equal(await poll(port, session), 'o');
    return new Poller(port, session);
  }

  async echo(text: string): Promise<void> {
    await send(this.#port, this.#session, text);
    const echoed = nextOwn(async () => (await this.#messages.next()).text);
    assert.equal(await Promise.race([echoed, this.#over]), text);
  }

  async end(): Promise<void> {
    await send(this.#port, this.#session, 'close');
    await this.#over;
    assert.equal(this.#messages.size, 0);
  }

  async #poll(): Promise<void> {
    for (;;) {
      const frame = await poll(this.#port, this.#session);
      if (frame === 'h') continue;
      if (frame === 'c[3001,"As you asked"]') return;
      for (const text of messagesIn(frame)) if (isMine(text)) this.#messages.put({ text });
    }
  }
}

async function echo(socket: WebSocketClient, messages: unknown[], text: string): Promise<void> {
  socket.sendMessages(text);
  const next = async (): Promise<unknown> => {
    while (messages.length === 0) {
      const frame = String(await socket.next());
      if (frame !== 'h') messages.push(...messagesIn(frame));
    }
    return messages.shift();
  };
  assert.equal(await nextOwn(next), text);
}

export class Control {
  readonly #socket: WebSocketClient;
  readonly #poller: Poller;
  readonly #messages: unknown[] = [];
  #count = 0;

  private constructor(socket: WebSocketClient, poller: Poller) {
    this.#socket = socket;
    this.#poller = poller;
  }

  static async open(port: number): Promise<Control> {
    const socket = await WebSocketClient.open(port, '/echo/000/control-socket/websocket');
    assert.equal(await socket.next(), 'o');
    return new Control(socket, await Poller.open(port, '/echo/000/control-poller'));
  }

  /** @throws an error that says what did not come */
  async check(): Promise<void> {
    this.#count += 1;
    const text = `control ${this.#count}`;
    await Promise.all([echo(this.#socket, this.#messages, text), this.#poller.echo(text)]);
  }

  async end(): Promise<void> {
    this.#socket.socket.terminate();
    await this.#poller.end();
  }
}
