/** The frame parser of `ws`, with which ours is compared. */
import { createRequire } from 'node:module';
import type { WsEvent } from './frame-recorder.ts';

interface Receiver {
  on(event: 'message', listener: (data: Buffer, isBinary: boolean) => void): this;
  on(event: 'ping' | 'pong', listener: (data: Buffer) => void): this;
  on(event: 'conclude', listener: (code: number, reason: Buffer) => void): this;
  on(event: 'error', listener: () => void): this;
  _write(chunk: Buffer, encoding: 'buffer', done: (error?: object) => void): void;
}

const { Receiver } = createRequire(import.meta.url)('ws') as {
  Receiver: new (options: object) => Receiver;
};
const STATUS = Symbol('status-code').toString();

/** `ws` keeps the close code for an error under a private symbol. */
function codeOf(error: object): number {
  const key = Object.getOwnPropertySymbols(error).find((symbol) => symbol.toString() === STATUS);
  return key === undefined ? 0 : Number(Reflect.get(error, key));
}

/** Reports the events of `ws` as a `FrameRecorder` does. */
export class WsReceiver {
  readonly events: WsEvent[] = [];
  readonly #receiver: Receiver;
  /** True after a close frame or an error. */
  isOver = false;

  /** @param extensions negotiated extensions of `ws`, with which errors come later, as with `write` */
  constructor(isServer: boolean, maxPayload = 0, extensions: object = {}) {
    this.#receiver = new Receiver({
      isServer,
      maxPayload,
      extensions,
      allowSynchronousEvents: true,
    });
    this.#receiver.on('message', (data, isBinary) => {
      this.events.push(
        isBinary ? ['binary', data.toString('hex')] : ['text', data.toString('utf8')],
      );
    });
    this.#receiver.on('ping', (data) => this.events.push(['ping', data.toString('hex')]));
    if (!isServer) {
      this.#receiver.on('pong', (data) => this.events.push(['pong', data.toString('hex')]));
    }
    this.#receiver.on('conclude', (code, reason) => {
      this.isOver = true;
      this.events.push(['close', code, reason.toString('utf8')]);
    });
  }

  /** Writes bytes with compressed messages, which `ws` inflates later. Resolves once all are read. */
  async write(chunk: Buffer): Promise<void> {
    await new Promise<void>((resolve) => {
      // oxlint-disable-next-line eslint/no-underscore-dangle -- the method of each Writable
      this.#receiver._write(chunk, 'buffer', (error) => {
        if (error !== undefined && error !== null) {
          this.isOver = true;
          this.events.push(['error', codeOf(error)]);
        }
        resolve();
      });
    });
  }

  // `write` of the stream would report errors one iteration of the event loop later.
  push(chunk: Buffer): void {
    if (this.isOver) return;
    // oxlint-disable-next-line eslint/no-underscore-dangle -- the method of each Writable
    this.#receiver._write(chunk, 'buffer', (error) => {
      if (error === undefined || error === null) return;
      this.isOver = true;
      this.events.push(['error', codeOf(error)]);
    });
  }
}
