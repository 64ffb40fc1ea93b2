import type { IncomingMessage } from 'node:http';
import { SockJSError } from '../../base/errors.ts';
import type { ClientMemory } from '../../base/memory-budget.ts';
import type { BodyLimits } from '../../http/exchange.ts';
import {
  type BodyResult,
  IncomingBody,
  bodyAborted,
  bodyTooLarge,
} from '../../http/incoming-body.ts';

function consumed(): SockJSError {
  return new SockJSError('ERR_BODY_CONSUMED', 'Other code has read the body, or a part of it.');
}

/** Reads the body of a request. See `Exchange.readBody`. */
export function readBody(
  request: IncomingMessage,
  limits: BodyLimits,
  memory: ClientMemory,
): Promise<BodyResult> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > limits.maxBytes) return Promise.resolve(bodyTooLarge(limits));
  if (request.readableDidRead) return Promise.resolve(consumed());
  if (request.readableEnded) return Promise.resolve(Buffer.alloc(0)); // Middleware has read an empty body.
  if (request.destroyed) return Promise.resolve(bodyAborted());
  return new Promise((resolve) => {
    const body = new IncomingBody(limits, memory, announced, resolve);
    request.on('data', (chunk: Buffer) => body.add(chunk));
    request.on('end', () => body.complete());
    request.on('close', () => body.abort());
  });
}
