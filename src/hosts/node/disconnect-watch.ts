import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ClientMemory } from '../../base/memory-budget.ts';

/** Limit for buffered early input while a decision is pending. Above it, the socket is not read. */
const MAX_EARLY_BYTES = 64 * 1024;
/** The same once the decision is made, when the rest is read, since the end of the client is behind it. */
const MAX_FINAL_BYTES = 2 * 1024 * 1024;
/** Turns of the event loop in which the rest is read. */
const FINAL_TURNS = 4;

/**
 * Watches the socket of an upgrade while a decision is pending. A socket reports that its client has disconnected only
 * while it is read. Early input is therefore read, and put back at the end. It counts in the memory budget.
 * @returns a function that stops watching. If the socket was not read to the end, it returns a promise
 */
export function watchUpgradedSocket(
  socket: Socket,
  memory: ClientMemory,
  onDisconnect: () => void,
): () => void | Promise<void> {
  const reservation = memory.reserve('delayedInput', () => socket.destroy());
  const early: Buffer[] = [];
  let earlyBytes = 0;
  let maxBytes = MAX_EARLY_BYTES;
  const onData = (chunk: Buffer): void => {
    early.push(chunk);
    earlyBytes += chunk.length;
    if (!reservation.resize(earlyBytes)) socket.destroy();
    else if (earlyBytes >= maxBytes) socket.pause();
  };
  const onEnd = (): void => {
    socket.destroy();
  };
  const release = (): void => {
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
  const readRest = async (): Promise<void> => {
    maxBytes = MAX_FINAL_BYTES;
    socket.resume();
    for (let turn = 0; turn < FINAL_TURNS; turn += 1) {
      // oxlint-disable-next-line no-await-in-loop -- one turn after the other
      await nextTurn();
    }
    release();
  };
  const onClose = (): void => {
    release();
    onDisconnect();
  };
  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.on('close', onClose);
  socket.resume(); // An earlier watch of the same request may have paused it.
  return () => (earlyBytes < maxBytes || socket.destroyed ? release() : readRest());
}
