/** Puts a handler before the listeners of an event, as npm `sockjs` does. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { watchUpgrade } from '../../hosts/node/unhandled-upgrade.ts';

type AnyListener = (...args: unknown[]) => unknown;

function ignore(): void {}

/**
 * Protects the socket of an upgrade to another path: a reset by the client does not end the process, and an upgrade
 * without a handler is refused.
 * @returns a function to call after the earlier listeners
 */
function protectUpgrade(socket: Socket): () => void {
  // An earlier handler that has passed on the same upgrade has added it.
  if (!socket.listeners('error').includes(ignore)) socket.on('error', ignore);
  const expectUse = watchUpgrade(socket);
  return () => expectUse(ignore);
}

/** Listeners of handlers that have ended, with those before them. A later handler may still have them. */
const ENDED = new WeakMap<AnyListener, readonly AnyListener[]>();

/** Replaces the listeners of ended handlers by those before them. */
function withoutEnded(listeners: readonly AnyListener[]): readonly AnyListener[] {
  return listeners.flatMap((listener) => {
    const before = ENDED.get(listener);
    return before === undefined ? [listener] : withoutEnded(before);
  });
}

/**
 * Replaces the listeners of an event by one that calls them only if the handler returns false. Listeners that are added
 * later are called in addition.
 */
export class Overshadowing {
  readonly #server: Server;
  readonly #event: string;
  readonly #before: readonly AnyListener[];
  readonly #listener: AnyListener;

  /** @param handler returns true if it has handled the event */
  constructor(server: Server, event: string, handler: (...args: never[]) => boolean) {
    this.#server = server;
    this.#event = event;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `listeners` declares plain functions
    const before = server.listeners(event) as AnyListener[];
    this.#before = before;
    server.removeAllListeners(event);
    this.#listener = function callHandler(this: unknown, ...args: unknown[]): boolean {
      if (!ENDED.has(callHandler) && Reflect.apply(handler, this, args)) return true;
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the argument that Node documents for this event
      const finish = event === 'upgrade' ? protectUpgrade(args[1] as Socket) : ignore;
      for (const listener of withoutEnded(before)) Reflect.apply(listener, this, args);
      finish();
      return false;
    };
    server.on(event, this.#listener);
  }

  /** Removes the handler, and restores the listeners before it, unless a later handler has replaced it. */
  end(): void {
    const isReplaced = !this.#server.listeners(this.#event).includes(this.#listener);
    ENDED.set(this.#listener, this.#before);
    if (isReplaced) return;
    this.#server.removeListener(this.#event, this.#listener);
    for (const listener of withoutEnded(this.#before)) this.#server.on(this.#event, listener);
  }
}
