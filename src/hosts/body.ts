/** The body of a request of `node:http`, under its limits while it comes in. */
import type { IncomingMessage } from 'node:http';
import { SockJSError } from '../errors.ts';
import type { BodyLimits } from '../http/exchange.ts';
import { Gather } from './gather.ts';

/** A body as it comes in, under its limits. */
class Body {
  readonly #limits: BodyLimits;
  #gathered: Gather;
  #isOver = false;

  constructor(limits: BodyLimits) {
    this.#limits = limits;
    this.#gathered = new Gather(limits.bytes);
  }

  get bytes(): Buffer {
    return this.#gathered.bytes;
  }

  /** @returns what is wrong, if it is beyond a limit: then nothing more is kept */
  add(chunk: Buffer): SockJSError | undefined {
    if (this.#isOver) return undefined;
    const { bytes, backlog, backlogBytes } = this.#limits;
    if (this.#gathered.length + chunk.length > bytes) return tooLarge(this.#limits);
    if (backlog.bytes + chunk.length > backlogBytes) return noMemory();
    backlog.add(chunk.length);
    this.#gathered.append(chunk);
    return undefined;
  }

  /** Nothing is kept, or counted, any more. */
  release(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#limits.backlog.add(-this.#gathered.length);
    this.#gathered = new Gather(0);
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

/** @throws SockJSError as `Exchange.readBody` says */
export async function readBody(request: IncomingMessage, limits: BodyLimits): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > limits.bytes) throw tooLarge(limits);
  if (request.readableEnded) return Buffer.alloc(0); // Some middleware has eaten it.
  if (request.destroyed) throw aborted();
  const body = new Body(limits);
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(tooSlow(limits)), limits.milliseconds);
      request.on('data', (chunk: Buffer) => {
        const fault = body.add(chunk);
        if (fault !== undefined) reject(fault); // What still comes is read and dropped.
      });
      request.on('end', () => resolve(body.bytes));
      request.on('close', () => {
        if (!request.complete) reject(aborted());
      });
    });
  } finally {
    clearTimeout(timer);
    body.release();
  }
}
