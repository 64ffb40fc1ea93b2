import { Deadline } from '../base/deadline.ts';
import { SockJSError } from '../base/errors.ts';
import type { ClientMemory, MemoryReservation } from '../base/memory-budget.ts';
import type { BodyLimits } from './exchange.ts';
import { ReceiveBuffer } from '../base/receive-buffer.ts';

/** A body, or the reason that there is none. */
export type BodyResult = Buffer | SockJSError;

export function bodyAborted(): SockJSError {
  return new SockJSError(
    'ERR_BODY_ABORTED',
    'The client disconnected before the body was complete.',
  );
}

export function bodyTooLarge({ maxBytes }: BodyLimits): SockJSError {
  return new SockJSError('ERR_BODY_TOO_LARGE', `The body is longer than ${maxBytes} bytes.`);
}

function timedOut({ timeout }: BodyLimits): SockJSError {
  return new SockJSError('ERR_BODY_TIMEOUT', `The body took longer than ${timeout} ms.`);
}

function outOfMemory(): SockJSError {
  return new SockJSError(
    'ERR_NO_MEMORY',
    'More than maxTotalBufferedBytes, or maxBufferedBytesPerAddress, are buffered.',
  );
}

function ignore(): void {}

/** An incomplete body. Once a limit is exceeded, further bytes are read and dropped. */
export class IncomingBody {
  readonly #limits: BodyLimits;
  readonly #memory: ClientMemory;
  readonly #announced: number;
  #settle: (result: BodyResult) => void;
  readonly #deadline: Deadline;
  #buffer: ReceiveBuffer;
  #reservation: MemoryReservation | undefined;
  #isSettled = false;

  /** @param announced length of the body, or 0 if it is unknown */
  constructor(
    limits: BodyLimits,
    memory: ClientMemory,
    announced: number,
    settle: (result: BodyResult) => void,
  ) {
    this.#limits = limits;
    this.#memory = memory;
    this.#announced = announced;
    this.#settle = settle;
    this.#buffer = new ReceiveBuffer(limits.maxBytes);
    this.#deadline = new Deadline(limits.timeout, () => this.#end(timedOut(limits)));
  }

  add(chunk: Buffer): void {
    if (this.#isSettled) return;
    const length = this.#buffer.length + chunk.length;
    if (length > this.#limits.maxBytes) this.#end(bodyTooLarge(this.#limits));
    else if (this.#hasRoom(length)) this.#buffer.append(chunk);
    else this.#end(outOfMemory());
  }

  complete(): void {
    if (!this.#isSettled) this.#end(this.#buffer.bytes);
  }

  abort(): void {
    if (!this.#isSettled) this.#end(bodyAborted());
  }

  /** A small body that arrives in one chunk is never incomplete, so it does not count. */
  #hasRoom(length: number): boolean {
    if (this.#reservation === undefined) {
      if (length === this.#announced && this.#memory.isSmall(length)) return true;
      this.#reservation = this.#memory.reserve('bodies', () => this.#end(outOfMemory()));
    }
    return this.#reservation.resize(length);
  }

  #end(result: BodyResult): void {
    this.#isSettled = true;
    this.#deadline.clear();
    this.#reservation?.release();
    this.#buffer = new ReceiveBuffer(0);
    this.#settle(result);
    // The request keeps this object, and the function would keep the body.
    this.#settle = ignore;
  }
}
