/**
 * Watches over a peer that does not keep up: whether it takes anything, even a part of one large write. What
 * it sends does not count, or a client could hold for ever what it never takes.
 */
import type { Socket } from 'node:net';

/** How often it is looked, in one timeout. */
const CHECKS_PER_TIMEOUT = 4;

/** What Node itself asks in order to see whether a write goes on; it tells nobody else. */
interface Handle {
  readonly bytesWritten: number;
  readonly writeQueueSize: number;
}

function isHandle(value: unknown): value is Handle {
  return (
    typeof value === 'object' &&
    value !== null &&
    'writeQueueSize' in value &&
    'bytesWritten' in value
  );
}

/** Bytes that the system has taken; without a handle, those of writes that are complete. */
function takenFrom(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (isHandle(handle)) return handle.bytesWritten - handle.writeQueueSize;
  return socket.bytesWritten - socket.writableLength;
}

export class WriteWatchdog {
  readonly #socket: Socket;
  readonly #timeout: number;
  readonly #stalled: () => void;
  #timer: NodeJS.Timeout | undefined;
  #taken = 0;
  #looks = 0;

  /** @param timeout in milliseconds; when nothing was taken for so long, `stalled` is called */
  constructor(socket: Socket, timeout: number, stalled: () => void) {
    this.#socket = socket;
    this.#timeout = timeout;
    this.#stalled = stalled;
  }

  /** Something waits to be taken. */
  expect(): void {
    if (this.#timer !== undefined) return;
    this.#taken = takenFrom(this.#socket);
    this.#looks = 0;
    this.#timer = setInterval(() => this.#look(), Math.max(1, this.#timeout / CHECKS_PER_TIMEOUT));
  }

  /** All of it has been taken, or nobody waits for that any more. */
  end(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const taken = takenFrom(this.#socket);
    this.#looks = taken === this.#taken ? this.#looks + 1 : 0;
    this.#taken = taken;
    if (this.#looks < CHECKS_PER_TIMEOUT) return;
    this.end();
    this.#stalled();
  }
}
