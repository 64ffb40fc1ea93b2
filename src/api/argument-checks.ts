/** Checks of the arguments of connections and routers. */
import { isCloseCode } from '../base/close-reasons.ts';
import { describeType } from '../base/describe-value.ts';
import { SockJSError } from '../base/errors.ts';

const MAX_REASON_BYTES = 123;

/**
 * Checks the arguments of `close`. The limits of a WebSocket apply on every transport.
 * @throws SockJSError `ERR_CLOSE_ARGUMENT`
 */
export function checkCloseArguments(code: number, reason: string): void {
  if (!isCloseCode(code)) {
    throw new SockJSError(
      'ERR_CLOSE_ARGUMENT',
      `A close code is 1000 to 1003, 1007 to 1014 or 3000 to 4999, not ${String(code)}.`,
    );
  }
  if (typeof reason !== 'string' || Buffer.byteLength(reason) > MAX_REASON_BYTES) {
    throw new SockJSError(
      'ERR_CLOSE_ARGUMENT',
      `A close reason is a string of at most ${MAX_REASON_BYTES} bytes.`,
    );
  }
}

function isIterable(value: unknown, symbol: symbol): boolean {
  if (typeof value === 'string') return true;
  return typeof value === 'object' && value !== null && symbol in value;
}

/** @throws SockJSError `ERR_MESSAGE_TYPE` if a value is not a source of messages */
export function checkSource(source: unknown): void {
  if (isIterable(source, Symbol.iterator) || isIterable(source, Symbol.asyncIterator)) return;
  throw new SockJSError(
    'ERR_MESSAGE_TYPE',
    `sendAll() takes a string, an array, a generator or a stream, not ${describeType(source)}.`,
  );
}

/** @throws SockJSError `ERR_ARGUMENT` if a value is not an iterable, or if it is a string */
export function checkConnections(clients: unknown): void {
  if (typeof clients !== 'string' && isIterable(clients, Symbol.iterator)) return;
  throw new SockJSError(
    'ERR_ARGUMENT',
    `broadcast(connections, text) takes an iterable of connections first, not ${describeType(clients)}. ` +
      'To send to all connections of a router, call router.broadcast(text).',
  );
}
