/** Handlers and listeners of a socket. The dispatch of a browser takes ten times as long. */
import type { DispatchedEvent, ListenerOptions, SocketEvents, SocketTarget } from './events.ts';

type Listener = (event: DispatchedEvent) => void;

/** Handlers by name, such as `onopen`. */
type Handlers = Readonly<Record<string, Listener | null | undefined>>;

/**
 * Calls a function of the application, if there is one. An error is reported as uncaught, and has no further effect.
 * @returns the result, or undefined if the function throws
 */
export function callSafely<Argument, Result>(
  callback: ((argument: Argument) => Result) | null | undefined,
  receiver: unknown,
  argument: Argument,
): Result | undefined {
  try {
    return callback?.call(receiver, argument);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
    return undefined;
  }
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the types of the listeners differ
export class Emitter extends (EventTarget as new () => object) implements SocketTarget {
  /** By type. The value is whether a call removes the listener. */
  readonly #listeners: Record<string, Map<unknown, boolean | undefined>> = {};

  addEventListener<Type extends keyof SocketEvents>(
    type: Type,
    listener: (event: SocketEvents[Type]) => void,
    { once, signal }: ListenerOptions = {},
  ): void {
    const listeners = this.#listenersOf(type);
    if (signal?.aborted || listeners.has(listener)) return;
    listeners.set(listener, once);
    signal?.addEventListener('abort', () => listeners.delete(listener));
  }

  removeEventListener<Type extends keyof SocketEvents>(
    type: Type,
    listener: (event: SocketEvents[Type]) => void,
  ): void {
    this.#listenersOf(type).delete(listener);
  }

  dispatchEvent(event: DispatchedEvent): boolean {
    const { type } = event;
    const listeners = this.#listenersOf(type);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a subclass has the handlers
    callSafely((this as unknown as Handlers)[`on${type}`], this, event);
    // oxlint-disable-next-line unicorn/no-useless-spread -- a listener may add others
    for (const [listener, once] of [...listeners])
      if (once ? listeners.delete(listener) : listeners.has(listener))
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it takes the events of its type
        callSafely(listener as Listener, this, event);
    return true;
  }

  #listenersOf(type: string): Map<unknown, boolean | undefined> {
    return (this.#listeners[type] ??= new Map<unknown, boolean | undefined>());
  }
}
