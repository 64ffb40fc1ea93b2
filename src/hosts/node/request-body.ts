import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
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

/**
 * Reads the body of a request. See `Exchange.readBody`.
 * @param contentLength `Content-Length` of the request
 */
export function readBody(
  request: Readable,
  contentLength: string | undefined,
  limits: BodyLimits,
  memory: ClientMemory,
): Promise<BodyResult> {
  const announced = Number(contentLength ?? 0);
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

/**
 * Reads and drops a body, unless `readBody` or other code reads it. Behind an unread body, Node does not notice that
 * the client disconnects. Deno serves no further request of its connection.
 */
export function dropUnreadBody(request: IncomingMessage): void {
  const { headers } = request;
  const hasBody =
    (headers['content-length'] ?? '0') !== '0' || headers['transfer-encoding'] !== undefined;
  if (hasBody && !request.readableDidRead) request.resume();
}
