/**
 * Requests that wait for a decision of the application: `authorize`, or an `allowedOrigins` function. A call counts
 * until it settles or times out, even if its client has disconnected, so that connecting and disconnecting in a loop
 * does not start calls without limit.
 */
import { addressKey } from '../base/address-key.ts';
import { isThenable } from '../base/thenable.ts';

/** Each kind has a total of its own: clients that wait for `authorize` delay no request of an open session. */
export type DecisionKind = 'allowedOrigins' | 'authorize';

export interface DecisionLimits {
  /** Time for a decision, in milliseconds. */
  readonly timeout: number;
  /** Calls of one kind at once. */
  readonly maxPending: number;
  /** Calls of both kinds at once from one address (IPv6: from one /64). */
  readonly maxPendingPerAddress: number;
}

function ignore(): void {}

/** Why a decision was not reached. */
export type NoDecision = 'closed' | 'disconnected' | 'limit' | 'timeout';

export type Outcome<Value> =
  | { readonly type: 'decided'; readonly value: Value }
  | { readonly type: NoDecision };

/** The request of a call. */
export interface DecisionRequest {
  readonly kind: DecisionKind;
  /** Address of the client. */
  readonly address: string;
  /** See `Exchange.watchDisconnect`. */
  watchDisconnect(callback: () => void): () => void;
}

/** One call of the application. Its signal is created when the application reads it. */
export class DecisionCall {
  #controller: AbortController | undefined;
  #abortReason: Error | undefined;

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason);
    }
    return this.#controller.signal;
  }

  abort(reason: NoDecision): void {
    this.#abortReason ??= new Error(`The request is no longer waiting: ${reason}.`);
    this.#controller?.abort(this.#abortReason);
  }
}

export class PendingDecisions {
  readonly #limits: DecisionLimits;
  readonly #pendingByKind: Record<DecisionKind, number> = { allowedOrigins: 0, authorize: 0 };
  readonly #pendingByAddress = new Map<string, number>();
  /** Ends each call that has neither settled nor timed out. */
  readonly #closers = new Set<() => void>();

  constructor(limits: DecisionLimits) {
    this.#limits = limits;
  }

  /** Calls that have neither settled nor timed out. */
  get size(): number {
    return this.#pendingByKind.allowedOrigins + this.#pendingByKind.authorize;
  }

  /**
   * Calls the application, and waits for its result if that is a promise or a thenable.
   * @returns the outcome, as a promise only if the result is one
   * @throws what the call throws; the promise rejects with what the result rejects with
   */
  decide<Value>(
    request: DecisionRequest,
    start: (call: DecisionCall) => Value | PromiseLike<Value>,
  ): Outcome<Value> | Promise<Outcome<Value>> {
    if (this.#isFull(request)) return { type: 'limit' };
    const call = new DecisionCall();
    const result = start(call);
    if (!isThenable(result)) return { type: 'decided', value: result };
    return this.#wait(request, call, result);
  }

  /** Ends every call: the outcome of a waiting request is `closed`, and its signal aborts. */
  close(): void {
    for (const close of this.#closers) close();
  }

  #wait<Value>(
    request: DecisionRequest,
    call: DecisionCall,
    result: PromiseLike<Value>,
  ): Promise<Outcome<Value>> {
    const release = this.#count(request);
    let settle = ignore;
    const stopped = new Promise<Outcome<Value>>((resolve) => {
      const stop = (reason: NoDecision): void => {
        call.abort(reason);
        resolve({ type: reason });
      };
      const end = (reason: NoDecision): void => {
        settle();
        stop(reason);
      };
      const close = (): void => end('closed');
      const unwatch = request.watchDisconnect(() => stop('disconnected'));
      const timer = setTimeout(() => end('timeout'), this.#limits.timeout);
      this.#closers.add(close);
      settle = () => {
        clearTimeout(timer);
        release();
        this.#closers.delete(close);
        unwatch();
      };
    });
    // `Promise.resolve` also takes thenables whose `then` throws or calls back twice.
    const decided = Promise.resolve(result)
      .finally(settle)
      .then((value): Outcome<Value> => ({ type: 'decided', value }));
    return Promise.race([decided, stopped]);
  }

  #isFull({ kind, address }: DecisionRequest): boolean {
    const { maxPending, maxPendingPerAddress } = this.#limits;
    if (this.#pendingByKind[kind] >= maxPending) return true;
    return (this.#pendingByAddress.get(addressKey(address)) ?? 0) >= maxPendingPerAddress;
  }

  /** @returns a function that ends the counting, once */
  #count({ kind, address }: DecisionRequest): () => void {
    const key = addressKey(address);
    this.#pendingByKind[kind] += 1;
    this.#pendingByAddress.set(key, (this.#pendingByAddress.get(key) ?? 0) + 1);
    let isCounted = true;
    return () => {
      if (!isCounted) return;
      isCounted = false;
      this.#pendingByKind[kind] -= 1;
      const rest = (this.#pendingByAddress.get(key) ?? 0) - 1;
      if (rest > 0) this.#pendingByAddress.set(key, rest);
      else this.#pendingByAddress.delete(key);
    };
  }
}
