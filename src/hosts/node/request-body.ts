/** The body of a request of `node:http`, under its limits while it comes in. */
import type { IncomingMessage } from 'node:http';
import { SockJSError } from '../../base/errors.ts';
import type { BodyLimits } from '../../http/exchange.ts';
import { ReceiveBuffer } from '../../websocket/receive-buffer.ts';

class Body {
  readonly #limits: BodyLimits;
  readonly #settle: (result: Buffer | SockJSError) => void;
  readonly #timer: NodeJS.Timeout;
  #gathered: ReceiveBuffer;
  #isOver = false;

  constructor(limits: BodyLimits, settle: (result: Buffer | SockJSError) => void) {
    this.#limits = limits;
    this.#settle = settle;
    this.#gathered = new ReceiveBuffer(limits.bytes);
    this.#timer = setTimeout(() => this.#end(tooSlow(limits)), limits.milliseconds);
  }

  /** Beyond a limit nothing more is kept: what still comes is read and dropped. */
  add(chunk: Buffer): void {
    if (this.#isOver) return;
    const { bytes, budget, totalBytes } = this.#limits;
    if (this.#gathered.length + chunk.length > bytes) {
      this.#end(tooLarge(this.#limits));
    } else if (budget.bytes + chunk.length > totalBytes) {
      this.#end(noMemory());
    } else {
      budget.add(chunk.length);
      this.#gathered.append(chunk);
    }
  }

  complete(): void {
    if (!this.#isOver) this.#end(this.#gathered.bytes);
  }

  abort(): void {
    if (!this.#isOver) this.#end(aborted());
  }

  #end(result: Buffer | SockJSError): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#limits.budget.add(-this.#gathered.length);
    this.#gathered = new ReceiveBuffer(0);
    this.#settle(result);
  }
}

function aborted(): SockJSError {
  return new SockJSError('ERR_BODY_ABORTED', 'The client went away.');
}

function tooLarge({ bytes }: BodyLimits): SockJSError {
  return new SockJSError('ERR_BODY_TOO_LARGE', `The body is longer than ${bytes} bytes.`);
}

function tooSlow({ milliseconds }: BodyLimits): SockJSError {
  return new SockJSError('ERR_BODY_TIMEOUT', `The body took longer than ${milliseconds} ms.`);
}

function noMemory(): SockJSError {
  return new SockJSError('ERR_NO_MEMORY', 'Too much is waiting in this process.');
}

/** See `Exchange.readBody`. */
export function readBody(
  request: IncomingMessage,
  limits: BodyLimits,
): Promise<Buffer | SockJSError> {
  if (Number(request.headers['content-length'] ?? 0) > limits.bytes) {
    return Promise.resolve(tooLarge(limits));
  }
  if (request.readableEnded) return Promise.resolve(Buffer.alloc(0)); // Some middleware has eaten it.
  if (request.destroyed) return Promise.resolve(aborted());
  return new Promise((resolve) => {
    const body = new Body(limits, resolve);
    request.on('data', (chunk: Buffer) => body.add(chunk));
    request.on('end', () => body.complete());
    request.on('close', () => body.abort());
  });
}
