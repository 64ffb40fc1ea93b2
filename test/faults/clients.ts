/**
 * Clients of every transport with one face, each writing down what it did and saw: the real sockjs-client
 * for all that it can do outside a browser, `ws` for the raw WebSocket, and one of ours for the transports
 * that need a document.
 */
import { randomUUID } from 'node:crypto';
import SockJS from 'sockjs-client';
import { WebSocket as RawWebSocket } from 'ws';
import {
  type Dialect,
  HTMLFILE,
  JSONP,
  Receiver,
  messagesIn,
  sendBody,
} from '../conformance/dialects.ts';
import { type ClientTransport, TRANSPORTS } from '../support/client.ts';
import type { Log } from './history.ts';

export interface Peer {
  readonly isOpen: boolean;
  /** Sends if it is open. */
  send(text: string): void;
  close(): void;
}

function sockJS(url: string, log: Log, transports: ClientTransport, timeout: number): Peer {
  const socket = new SockJS(url, undefined, { transports, timeout });
  socket.addEventListener('open', () => log.opened());
  socket.addEventListener('message', ({ data }: { data: unknown }) => log.received(String(data)));
  socket.addEventListener('close', ({ code, reason }) => log.closed(code, reason));
  return {
    get isOpen() {
      return socket.readyState === SockJS.OPEN;
    },
    send(text) {
      if (!this.isOpen) return;
      log.sent(text);
      socket.send(text);
    },
    close: () => socket.close(),
  };
}

function rawWebSocket(relayPort: number, log: Log): Peer {
  const socket = new RawWebSocket(`ws://127.0.0.1:${relayPort}/echo/websocket`);
  socket.on('open', () => log.opened());
  socket.on('message', (data: Buffer) => log.received(data.toString('utf8')));
  socket.on('close', (code, reason) => log.closed(code, reason.toString('utf8')));
  socket.on('error', () => {}); // Followed by 'close'.
  return {
    get isOpen() {
      return socket.readyState === socket.OPEN;
    },
    send(text) {
      if (!this.isOpen) return;
      log.sent(text);
      socket.send(text);
    },
    close: () => socket.close(1000),
  };
}

/** What sockjs-client does with a document, without one. An answer that breaks off ends it. */
class DocumentPeer implements Peer {
  readonly #port: number;
  readonly #log: Log;
  readonly #dialect: Dialect;
  readonly #session = `/echo/000/${randomUUID()}`;
  #waiting: string[] = [];
  #isSending = false;
  #isOver = false;
  #receiver: Receiver | undefined;

  constructor(port: number, log: Log, dialect: Dialect) {
    this.#port = port;
    this.#log = log;
    this.#dialect = dialect;
    void this.#receive();
  }

  get isOpen(): boolean {
    return this.#log.hasOpened && !this.#isOver;
  }

  send(text: string): void {
    if (!this.isOpen) return;
    this.#log.sent(text);
    this.#waiting.push(text);
    if (!this.#isSending) void this.#sendAll();
  }

  close(): void {
    this.#end(1000, 'Normal closure');
  }

  async #receive(): Promise<void> {
    try {
      while (!this.#isOver) {
        const receiver = new Receiver(this.#port, this.#session, this.#dialect);
        this.#receiver = receiver;
        for (
          let frame = await receiver.frame();
          frame !== undefined;
          frame = await receiver.frame()
        )
          this.#take(frame);
        receiver.connection.close();
      }
    } catch {
      this.#end(1006, 'Receiving error');
    }
  }

  #take(frame: string): void {
    if (this.#isOver || frame === 'h') return;
    if (frame === 'o' && this.isOpen) {
      this.#end(1006, 'Server lost session');
    } else if (frame === 'o') {
      this.#log.opened();
    } else if (frame.startsWith('c')) {
      const [code, reason] = JSON.parse(frame.slice(1)) as [number, string];
      this.#end(code, reason);
    } else {
      for (const message of messagesIn(frame)) this.#log.received(String(message));
    }
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    try {
      while (this.#waiting.length > 0 && !this.#isOver) {
        const json = JSON.stringify(this.#waiting);
        this.#waiting = [];
        await this.#post(json);
      }
    } catch {
      this.#end(1006, 'Sending error');
    }
    this.#isSending = false;
  }

  async #post(json: string): Promise<void> {
    if (this.#dialect !== JSONP) {
      const { status } = await sendBody(this.#port, this.#session, json);
      if (status !== 204) this.#end(1006, `Sending error: ${status}`);
      return;
    }
    const { status, body } = await sendBody(
      this.#port,
      this.#session,
      new URLSearchParams({ d: json }).toString(),
      {
        target: 'jsonp_send',
        headers: [['Content-Type', 'application/x-www-form-urlencoded']],
      },
    );
    if (status !== 200 || body !== 'ok') this.#end(1006, `Sending error: ${status}`);
  }

  #end(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#log.closed(code, reason);
    this.#receiver?.connection.close();
  }
}

export const ALL_TRANSPORTS = [...TRANSPORTS, 'htmlfile', 'jsonp', 'raw websocket'] as const;
export type AnyTransport = (typeof ALL_TRANSPORTS)[number];

/** What a client needs to know. */
export interface Way {
  /** The service itself, where `/info` is asked; it sends the client on to the relay. */
  readonly url: string;
  /** For those that ask for nothing first. */
  readonly relayPort: number;
  /** How long sockjs-client waits for its connection to open, at least; in milliseconds. */
  readonly patience: number;
}

export function connectPeer(
  transport: AnyTransport,
  { url, relayPort, patience }: Way,
  log: Log,
): Peer {
  if (transport === 'raw websocket') return rawWebSocket(relayPort, log);
  if (transport === 'htmlfile') return new DocumentPeer(relayPort, log, HTMLFILE);
  if (transport === 'jsonp') return new DocumentPeer(relayPort, log, JSONP);
  return sockJS(url, log, transport, patience);
}
