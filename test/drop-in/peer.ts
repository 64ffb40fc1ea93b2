/** A client over one transport, which keeps a transcript of all that reaches it. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Headers, RawHttpConnection, httpRequest } from '../../testkit/raw-http.ts';
import { RawWebSocket } from '../../testkit/raw-websocket.ts';
import {
  type HttpTransport,
  type Transport,
  type WsTransport,
  openRequest,
  parseMessages,
  sendRequest,
  splitFrames,
  wsPath,
} from '../../testkit/transports.ts';
import { type WaitOptions, until } from '../../testkit/until.ts';

export interface PeerOptions {
  /** URL of the session. */
  readonly session?: string;
  readonly query?: string;
  readonly headers?: Headers;
  /** Default: that of the run. */
  readonly transport?: Transport;
}

interface Line {
  send(messages: readonly string[]): Promise<void>;
  /** Ends the connection as a page does that is left: a close frame, or the end of the receiving request. */
  close(): void;
  /** Resets the connection. */
  abort(): void;
}

interface LineEvents {
  opened(): void;
  frame(frame: string): void;
  message(message: string): void;
  /** Nothing follows. */
  ended(how: string): void;
}

interface Address {
  readonly port: number;
  readonly session: string;
  readonly query: string;
  readonly headers: Headers;
}

/** Returns the number of characters before the first frame. The page of htmlfile is padded to any length. */
function preludeLength({ name, prelude }: HttpTransport, text: string): number {
  if (name !== 'htmlfile') return prelude.length;
  const end = text.indexOf('\r\n\r\n');
  return end < 0 ? Infinity : end + 4;
}

/** Receives by one request after the other, until a close frame, a refusal or the end of the connection. */
class HttpLine implements Line {
  readonly #transport: HttpTransport;
  readonly #address: Address;
  readonly #events: LineEvents;
  readonly #connection: RawHttpConnection;

  constructor(transport: HttpTransport, address: Address, events: LineEvents) {
    this.#transport = transport;
    this.#address = address;
    this.#events = events;
    this.#connection = new RawHttpConnection(address.port, { timeout: Infinity });
    void this.#receiveAll();
  }

  async send(messages: readonly string[]): Promise<void> {
    const request = sendRequest(this.#transport, this.#address, JSON.stringify(messages));
    const { status, body } = await httpRequest(this.#address.port, request);
    if (status >= 300) this.#events.frame(`refused ${status} ${body}`);
  }

  close(): void {
    this.#connection.close();
  }

  abort(): void {
    this.#connection.abort();
  }

  async #receiveAll(): Promise<void> {
    let end: string | undefined;
    while (end === undefined) {
      try {
        end = await this.#receive();
      } catch {
        end = 'connection ended';
      }
    }
    this.close();
    this.#events.ended(end);
  }

  /** Reads one response. @returns the last entry of the transcript, or undefined if a request follows */
  async #receive(): Promise<string | undefined> {
    const connection = this.#connection.send(openRequest(this.#transport, this.#address));
    const head = await connection.readHead();
    let text = '';
    let end: string | undefined;
    let hasPrelude = !this.#transport.isStreaming;
    for await (const part of connection.bodyParts(head)) {
      text += part.toString('utf8');
      if (head.status !== 200) continue;
      if (!hasPrelude) {
        const length = preludeLength(this.#transport, text);
        if (text.length < length) continue;
        hasPrelude = true;
        text = text.slice(length);
      }
      const { frames, rest } = splitFrames(this.#transport, text);
      text = rest;
      for (const frame of frames) {
        this.#events.frame(frame);
        if (frame.startsWith('c')) end = 'response ended';
      }
    }
    return head.status === 200 ? end : `refused ${head.status} ${text}`;
  }
}

class WebSocketLine implements Line {
  readonly #isRaw: boolean;
  readonly #opening: Promise<RawWebSocket | undefined>;
  #socket: RawWebSocket | undefined;

  constructor(transport: WsTransport, address: Address, events: LineEvents) {
    this.#isRaw = transport.name === 'rawwebsocket';
    this.#opening = this.#open(transport, address, events);
  }

  async send(messages: readonly string[]): Promise<void> {
    const socket = await this.#opening;
    if (!this.#isRaw) socket?.send(JSON.stringify(messages));
    else for (const message of messages) socket?.send(message);
  }

  close(): void {
    this.#socket?.close(1000);
  }

  abort(): void {
    this.#socket?.abort();
  }

  async #open(
    transport: WsTransport,
    { port, session, query, headers }: Address,
    events: LineEvents,
  ): Promise<RawWebSocket | undefined> {
    const path = wsPath(transport, session) + (query === '' ? '' : `?${query}`);
    let isOpen = !this.#isRaw;
    const open = (): void => {
      if (!isOpen) events.opened();
      isOpen = true;
    };
    try {
      const options = { headers, record: false };
      this.#socket = await RawWebSocket.open(port, path, options, {
        message: (message) => {
          open();
          if (this.#isRaw) events.message(String(message));
          else events.frame(String(message));
        },
        close: ({ code, reason }) => {
          open();
          events.ended(`socket ${code} ${reason}`);
        },
      });
      open();
    } catch (error) {
      events.ended(error instanceof Error ? error.message : String(error));
    }
    return this.#socket;
  }
}

export class Peer {
  readonly session: string;
  /**
   * In order: `open`, `message TEXT`, `close [CODE, REASON]` for a close frame of SockJS, and last `socket CODE REASON`
   * for the end of a WebSocket, with 1006 if it had no close frame.
   */
  readonly transcript: string[] = [];
  /** SockJS frames as they came. */
  readonly frames: string[] = [];
  readonly #line: Line;
  #isFinished = false;

  constructor(
    transport: Transport,
    port: number,
    { session = '', query = '', headers = [] }: PeerOptions,
  ) {
    this.session = session;
    const address = { port, session, query, headers };
    const events: LineEvents = {
      opened: () => this.transcript.push('open'),
      frame: (frame) => this.#receive(frame),
      message: (message) => this.transcript.push(`message ${message}`),
      ended: (how) => {
        this.transcript.push(how);
        this.#isFinished = true;
      },
    };
    this.#line = transport.isWebSocket
      ? new WebSocketLine(transport, address, events)
      : new HttpLine(transport, address, events);
  }

  /** Sends messages. Over HTTP it resolves when the server has accepted them. */
  async send(...messages: readonly string[]): Promise<void> {
    await this.#line.send(messages);
  }

  /** Waits until the transcript has `count` entries that match. @returns the transcript so far */
  async saw(entry: string | RegExp, count = 1, options?: WaitOptions): Promise<string[]> {
    const matches = (line: string): boolean =>
      typeof entry === 'string' ? line === entry : entry.test(line);
    await until(() => this.transcript.filter(matches).length >= count, String(entry), {
      ...options,
      state: () => this.transcript,
    });
    return [...this.transcript];
  }

  /** Waits until nothing more can arrive. @returns the transcript so far */
  async finished(options?: WaitOptions): Promise<string[]> {
    const state = (): unknown => this.transcript;
    await until(() => this.#isFinished, 'the end of the session', { ...options, state });
    return [...this.transcript];
  }

  close(): void {
    this.#line.close();
  }

  abort(): void {
    this.#line.abort();
  }

  #receive(frame: string): void {
    this.frames.push(frame);
    if (frame === 'o') this.transcript.push('open');
    else if (frame.startsWith('a'))
      this.transcript.push(...parseMessages(frame).map((text) => `message ${text}`));
    else if (frame.startsWith('c')) this.transcript.push(`close ${frame.slice(1)}`);
    else this.transcript.push(frame);
  }
}

/** Time in which a client would notice that something happens that must not, in milliseconds. */
const QUIET_MS = 40;

/** Waits so long that an event which must not happen would have happened. */
export async function quiet(): Promise<void> {
  await delay(QUIET_MS);
}
