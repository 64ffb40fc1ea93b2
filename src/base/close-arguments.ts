import { isCloseCode } from './close-reasons.ts';
import { SockJSError } from './errors.ts';

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
