import type { Inbox } from './inbox.ts';
import { takeFrame } from './sockjs-frames.ts';
import type { ByteStream, Take } from './socket.ts';

/** A client of the XHR transports, with one request at a time. */
export abstract class RequestClient {
  readonly inbox: Inbox;
  #responded: (status: number) => void = () => {};
  #opened: () => void = () => {};

  /** @param inbox several clients of a session may share it */
  constructor(inbox: Inbox) {
    this.inbox = inbox;
  }

  /** Settles when the response is complete. @param bytes a request that `Wire.post` has encoded */
  async request(bytes: Buffer, status: number): Promise<void> {
    this.send(bytes);
    const actual = await new Promise<number>((resolve) => {
      this.#responded = resolve;
    });
    if (actual !== status) throw new Error(`The status was ${actual} in place of ${status}.`);
  }

  /** Settles when the open frame has arrived. It ends a poll. */
  async open(bytes: Buffer, isPolling: boolean): Promise<void> {
    const opened = new Promise<void>((resolve) => {
      this.#opened = resolve;
    });
    if (isPolling) await this.request(bytes, 200);
    else this.send(bytes);
    await opened;
  }

  abstract destroy(): void;

  protected abstract send(bytes: Buffer): void;

  /** Takes a SockJS frame of a response. */
  protected takeFrame(data: Buffer, begin: number, end: number): void {
    takeFrame(data, begin, end, this.inbox, this.#opened);
  }

  /** Called when a response is complete. */
  protected respond(status: number): void {
    this.#responded(status);
  }
}

/** The protocol between clients and a server. It may share connections between clients. */
export interface Wire {
  /** Encodes a request. */
  post(path: string, body?: string): Buffer;
  /** @param inbox several clients of a session may share it */
  client(port: number, inbox: Inbox): RequestClient;
  /** Opens a WebSocket. @param take receives the bytes after the handshake */
  webSocket(port: number, path: string, take: Take): ByteStream;
  /** Closes the shared connections. */
  close(): void;
}
