/** Upgrades that a listener of the application gets and ignores, so that their clients would wait forever. */
import type { Socket } from 'node:net';

const CHECK_INTERVAL_MS = 500;
/** An upgrade is refused after 3 s. A late check counts as one, so that a blocked process refuses nothing. */
const MAX_CHECKS = 6;

const RESPONSE = [
  'HTTP/1.1 404 Not Found',
  'Connection: close',
  'Content-Type: text/plain; charset=UTF-8',
  'Content-Length: 10',
  '',
  'Not found.',
].join('\r\n');

/** Returns a text that changes when other code uses the socket: reads, writes, listens, or sets a timeout. */
function traceOf(socket: Socket): string {
  const listeners = socket.eventNames().map((name) => socket.listenerCount(name));
  const { bytesWritten, destroyed, readableFlowing, timeout, writableLength } = socket;
  return String([listeners, bytesWritten, destroyed, readableFlowing, timeout, writableLength]);
}

/**
 * Watches the socket of an upgrade that the application gets.
 * @returns a function to call after the application got it: refuses the upgrade if the socket is not used within 3 s,
 * and then calls back
 */
export function watchUpgrade(socket: Socket): (onRefused: () => void) => void {
  const before = traceOf(socket);
  return (onRefused) => {
    if (traceOf(socket) !== before) return;
    let checks = 0;
    const timer = setInterval(() => {
      if (traceOf(socket) !== before) return clearInterval(timer);
      checks += 1;
      if (checks < MAX_CHECKS) return undefined;
      clearInterval(timer);
      socket.end(RESPONSE, () => socket.destroy());
      return onRefused();
    }, CHECK_INTERVAL_MS);
    timer.unref();
  };
}
