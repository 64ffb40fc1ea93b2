import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';

/**
 * Closes a connection with a reset, as a process that ends does. A TLS connection is only closed, which Node cannot
 * reset. So is one that is being ended: Node would keep its handle for ever, and the process would never exit.
 */
export function resetSocket(socket: Duplex): void {
  const canReset = socket instanceof Socket && !(socket instanceof TLSSocket);
  if (canReset && !socket.writableEnded) socket.resetAndDestroy();
  else socket.destroy();
}
