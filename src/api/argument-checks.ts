/** Checks of the arguments of connections. */
import { describeType } from '../base/describe-value.ts';
import { SockJSError } from '../base/errors.ts';

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
