import type { IncomingMessage } from 'node:http';
import { Deadline } from '../../base/deadline.ts';
import { SockJSError } from '../../base/errors.ts';
import type { ClientMemory, MemoryReservation } from '../../base/memory-budget.ts';
import type { BodyLimits } from '../../http/exchange.ts';
import { ReceiveBuffer } from '../../base/receive-buffer.ts';

type Result = Buffer | SockJSError;

function aborted(): SockJSError {
  return new SockJSError(
    'ERR_BODY_ABORTED',
    'The client disconnected before the body was complete.',
  );
}

function consumed(): SockJSError {
  return new SockJSError('ERR_BODY_CONSUMED', 'Other code has read the body, or a part of it.');
}

function tooLarge({ maxBytes }: BodyLimits): SockJSError {
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

/** An incomplete body. Once a limit is exceeded, further bytes are read and dropped. */
class IncomingBody {
  readonly #limits: BodyLimits;
  readonly #memory: ClientMemory;
  readonly #announced: number;
  readonly #settle: (result: Result) => void;
  readonly #deadline: Deadline;
  #buffer: ReceiveBuffer;
  #reservation: MemoryReservation | undefined;
  #isSettled = false;

  /** @param announced length of the body, or 0 if it is unknown */
  constructor(
    limits: BodyLimits,
    memory: ClientMemory,
    announced: number,
    settle: (result: Result) => void,
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
    if (length > this.#limits.maxBytes) this.#end(tooLarge(this.#limits));
    else if (this.#hasRoom(length)) this.#buffer.append(chunk);
    else this.#end(outOfMemory());
  }

  complete(): void {
    if (!this.#isSettled) this.#end(this.#buffer.bytes);
  }

  abort(): void {
    if (!this.#isSettled) this.#end(aborted());
  }

  /** A small body that arrives in one chunk is never incomplete, so it does not count. */
  #hasRoom(length: number): boolean {
    if (this.#reservation === undefined) {
      if (length === this.#announced && this.#memory.isSmall(length)) return true;
      this.#reservation = this.#memory.reserve('bodies', () => this.#end(outOfMemory()));
    }
    return this.#reservation.resize(length);
  }

  #end(result: Result): void {
    this.#isSettled = true;
    this.#deadline.clear();
    this.#reservation?.release();
    this.#buffer = new ReceiveBuffer(0);
    this.#settle(result);
  }
}

/** Reads the body of a request. See `Exchange.readBody`. */
export function readBody(
  request: IncomingMessage,
  limits: BodyLimits,
  memory: ClientMemory,
): Promise<Result> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > limits.maxBytes) return Promise.resolve(tooLarge(limits));
  if (request.readableDidRead) return Promise.resolve(consumed());
  if (request.readableEnded) return Promise.resolve(Buffer.alloc(0)); // Middleware has read an empty body.
  if (request.destroyed) return Promise.resolve(aborted());
  return new Promise((resolve) => {
    const body = new IncomingBody(limits, memory, announced, resolve);
    request.on('data', (chunk: Buffer) => body.add(chunk));
    request.on('end', () => body.complete());
    request.on('close', () => body.abort());
  });
}
