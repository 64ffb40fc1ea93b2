import type { Socket } from 'node:net';
import type { ClientMemory } from '../../base/memory-budget.ts';

/** Limit for buffered early input. Above it, the socket is not read until the request is handled. */
const MAX_EARLY_BYTES = 64 * 1024;

/**
 * Watches the socket of an upgrade while a decision is pending. A socket reports that its client has disconnected only
 * while it is read. Early input is therefore read, and put back at the end. It counts in the memory budget.
 * @returns a function that stops watching
 */
export function watchUpgradedSocket(
  socket: Socket,
  memory: ClientMemory,
  onDisconnect: () => void,
): () => void {
  const reservation = memory.reserve('delayedInput', () => socket.destroy());
  const early: Buffer[] = [];
  let earlyBytes = 0;
  const onData = (chunk: Buffer): void => {
    early.push(chunk);
    earlyBytes += chunk.length;
    if (!reservation.resize(earlyBytes)) socket.destroy();
    else if (earlyBytes >= MAX_EARLY_BYTES) socket.pause();
  };
  const onEnd = (): void => {
    socket.destroy();
  };
  const stop = (): void => {
    socket.off('data', onData);
    socket.off('end', onEnd);
    socket.off('close', onClose);
    reservation.release();
    if (socket.destroyed) return;
    socket.pause();
    if (earlyBytes > 0) socket.unshift(Buffer.concat(early));
    early.length = 0;
    earlyBytes = 0;
  };
  const onClose = (): void => {
    stop();
    onDisconnect();
  };
  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.on('close', onClose);
  socket.resume(); // An earlier watch of the same request may have paused it.
  return stop;
}
