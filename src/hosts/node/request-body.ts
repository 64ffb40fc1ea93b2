import type { IncomingMessage } from 'node:http';
import { Deadline } from '../../base/deadline.ts';
import { SockJSError } from '../../base/errors.ts';
import type { BodyLimits } from '../../http/exchange.ts';
import { ReceiveBuffer } from '../../base/receive-buffer.ts';

type Result = Buffer | SockJSError;

function aborted(): SockJSError {
  return new SockJSError(
    'ERR_BODY_ABORTED',
    'The client disconnected before the body was complete.',
  );
}

function tooLarge({ maxBytes }: BodyLimits): SockJSError {
  return new SockJSError('ERR_BODY_TOO_LARGE', `The body is longer than ${maxBytes} bytes.`);
}

function timedOut({ timeout }: BodyLimits): SockJSError {
  return new SockJSError('ERR_BODY_TIMEOUT', `The body took longer than ${timeout} ms.`);
}

function outOfMemory({ maxTotalBytes }: BodyLimits): SockJSError {
  return new SockJSError(
    'ERR_NO_MEMORY',
    `More than ${maxTotalBytes} bytes are buffered in this process.`,
  );
}

/** An incomplete body. Once a limit is exceeded, further bytes are read and dropped. */
class IncomingBody {
  readonly #limits: BodyLimits;
  readonly #settle: (result: Result) => void;
  readonly #deadline: Deadline;
  #buffer: ReceiveBuffer;
  #isSettled = false;

  constructor(limits: BodyLimits, settle: (result: Result) => void) {
    this.#limits = limits;
    this.#settle = settle;
    this.#buffer = new ReceiveBuffer(limits.maxBytes);
    this.#deadline = new Deadline(limits.timeout, () => this.#end(timedOut(limits)));
  }

  add(chunk: Buffer): void {
    if (this.#isSettled) return;
    const { maxBytes, budget, maxTotalBytes } = this.#limits;
    if (this.#buffer.length + chunk.length > maxBytes) {
      this.#end(tooLarge(this.#limits));
    } else if (budget.bytes + chunk.length > maxTotalBytes) {
      this.#end(outOfMemory(this.#limits));
    } else {
      budget.add(chunk.length);
      this.#buffer.append(chunk);
    }
  }

  complete(): void {
    if (!this.#isSettled) this.#end(this.#buffer.bytes);
  }

  abort(): void {
    if (!this.#isSettled) this.#end(aborted());
  }

  #end(result: Result): void {
    this.#isSettled = true;
    this.#deadline.clear();
    this.#limits.budget.add(-this.#buffer.length);
    this.#buffer = new ReceiveBuffer(0);
    this.#settle(result);
  }
}

/** Reads the body of a request. See `Exchange.readBody`. */
export function readBody(request: IncomingMessage, limits: BodyLimits): Promise<Result> {
  if (Number(request.headers['content-length'] ?? 0) > limits.maxBytes) {
    return Promise.resolve(tooLarge(limits));
  }
  if (request.readableEnded) return Promise.resolve(Buffer.alloc(0)); // Middleware has read the body.
  if (request.destroyed) return Promise.resolve(aborted());
  return new Promise((resolve) => {
    const body = new IncomingBody(limits, resolve);
    request.on('data', (chunk: Buffer) => body.add(chunk));
    request.on('end', () => body.complete());
    request.on('close', () => body.abort());
  });
}
