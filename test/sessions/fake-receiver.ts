/** A receiver without a socket. */
import { ConnectionInfo } from '../../src/base/connection-info.ts';
import type { Frame } from '../../src/protocol/frame.ts';
import type { Receiver } from '../../src/sessions/receiver.ts';

export const INFO: ConnectionInfo = new ConnectionInfo({
  address: '127.0.0.1',
  path: '/echo/000',
  query: '',
  rawHeaders: [],
  secure: false,
});

/** Keeps the frames that are written to it. */
export class FakeReceiver implements Receiver {
  readonly source = this;
  readonly renewable: boolean;
  readonly texts: string[] = [];
  writable = true;
  bufferedBytes = 0;
  bytesReceived: number | undefined;
  ended = false;
  aborted = false;
  readonly #limit: number;

  /**
   * @param limit number of frames after which it is full
   * @param renewable like a response; otherwise like a WebSocket
   */
  constructor(limit = Infinity, renewable = limit < Infinity) {
    this.#limit = limit;
    this.renewable = renewable;
  }

  get full(): boolean {
    return this.texts.length >= this.#limit;
  }

  write(frame: Frame): void {
    this.texts.push(frame.text);
  }

  end(): void {
    this.ended = true;
  }

  abort(): void {
    this.aborted = true;
  }
}
