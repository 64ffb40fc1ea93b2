/** The reader of frames that `ws` has, which ours is compared with. */
import { createRequire } from 'node:module';
import type { Told } from './wire.ts';

interface WsReceiver {
  on(event: 'message', listener: (data: Buffer, isBinary: boolean) => void): this;
  on(event: 'ping' | 'pong', listener: (data: Buffer) => void): this;
  on(event: 'conclude', listener: (code: number, reason: Buffer) => void): this;
  on(event: 'error', listener: () => void): this;
  _write(chunk: Buffer, encoding: 'buffer', done: (error?: object) => void): void;
}

const { Receiver } = createRequire(import.meta.url)('ws') as {
  Receiver: new (options: object) => WsReceiver;
};
const STATUS = Symbol('status-code').toString();

/** `ws` keeps the code that a fault deserves under a symbol of its own. */
function codeOf(error: object): number {
  const key = Object.getOwnPropertySymbols(error).find((symbol) => symbol.toString() === STATUS);
  return key === undefined ? 0 : Number(Reflect.get(error, key));
}

/** `ws`, telling what it reads in our words. */
export class Reference {
  readonly told: Told[] = [];
  readonly #receiver: WsReceiver;
  #isOver = false;

  constructor(isServer: boolean, maxPayload = 0) {
    this.#receiver = new Receiver({ isServer, maxPayload });
    this.#receiver.on('message', (data, isBinary) => {
      this.told.push(isBinary ? ['binary', data.toString('hex')] : ['text', data.toString('utf8')]);
    });
    this.#receiver.on('ping', (data) => this.told.push(['ping', data.toString('hex')]));
    if (!isServer) {
      this.#receiver.on('pong', (data) => this.told.push(['pong', data.toString('hex')]));
    }
    this.#receiver.on('conclude', (code, reason) => {
      this.#isOver = true;
      this.told.push(['closing', code, reason.toString('utf8')]);
    });
  }

  // Past the stream that it is, which would tell of faults a turn later.
  push(chunk: Buffer): void {
    if (this.#isOver) return;
    // oxlint-disable-next-line eslint/no-underscore-dangle -- what a Writable has to have
    this.#receiver._write(chunk, 'buffer', (error) => {
      if (error === undefined || error === null) return;
      this.#isOver = true;
      this.told.push(['fault', codeOf(error)]);
    });
  }
}
