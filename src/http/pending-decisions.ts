import { AddressCounts } from '../base/address-counts.ts';
import { Deadline } from '../base/deadline.ts';
import { warnIfPending } from '../base/pending-warning.ts';
import { isThenable, toPromise } from '../base/thenable.ts';

/**
 * Each kind has its own total, so that pending `authorize` calls delay no request of an open session. `owner` is a
 * look-up in the backplane of a cluster, which also counts separately for each address: while the backplane is away,
 * WebSockets of the address still open.
 */
export type DecisionKind = 'allowedOrigins' | 'authorize' | 'owner';

export interface DecisionLimits {
  /** Time limit for a decision, in milliseconds. */
  readonly timeout: number;
  /** Limit for pending calls of one kind. */
  readonly maxPending: number;
  /**
   * Limit for pending calls of `authorize` and `allowedOrigins` for one address (IPv6: for one /64), and for its
   * look-ups. See `networkLimit` for a /48.
   */
  readonly maxPendingPerAddress: number;
}

function ignore(): void {}

/** Reason that there is no decision. */
export type NoDecision = 'closed' | 'disconnected' | 'limit' | 'timeout';

export type Outcome<Value> =
  | { readonly type: 'decided'; readonly value: Value }
  | { readonly type: NoDecision };

/** The request that needs a decision. */
export interface DecisionRequest {
  readonly kind: DecisionKind;
  /** Address of the client. */
  readonly address: string;
  /** Time limit in milliseconds. Default: `DecisionLimits.timeout` */
  readonly timeout?: number;
  /** See `Exchange.watchDisconnect`. */
  watchDisconnect(callback: () => void): () => void | Promise<void>;
}

/** One call of a function of the application. Its signal is created when the function reads it. */
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

/**
 * Pending calls of `authorize` and of `allowedOrigins` functions. A call counts until it settles or times out, even if
 * its client has disconnected, so that a client that connects and disconnects in a loop cannot start calls without
 * limit.
 */
export class PendingDecisions {
  readonly #limits: DecisionLimits;
  readonly #onSlow: (kind: DecisionKind) => void;
  readonly #pendingByKind: Record<DecisionKind, number> = {
    allowedOrigins: 0,
    authorize: 0,
    owner: 0,
  };
  readonly #pendingByAddress = new AddressCounts();
  readonly #lookupsByAddress = new AddressCounts();
  /** Functions that end the pending calls. */
  readonly #closers = new Set<() => void>();

  /** @param onSlow called when a call has been pending for 5 s */
  constructor(limits: DecisionLimits, onSlow: (kind: DecisionKind) => void = ignore) {
    this.#limits = limits;
    this.#onSlow = onSlow;
  }

  /** Number of pending calls. */
  get size(): number {
    const { allowedOrigins, authorize, owner } = this.#pendingByKind;
    return allowedOrigins + authorize + owner;
  }

  /**
   * Calls a function of the application, and waits for its result if that is a promise or a thenable.
   * @param start calls the function
   * @returns the outcome, as a promise if the result is one, which rejects if the result rejects
   * @throws the error that `start` throws
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

  /** Ends every pending call: its outcome is `closed`, and its signal aborts. */
  close(): void {
    for (const close of this.#closers) close();
  }

  #wait<Value>(
    request: DecisionRequest,
    call: DecisionCall,
    result: PromiseLike<Value>,
  ): Promise<Outcome<Value>> {
    const release = this.#count(request);
    let settle: () => void | Promise<void> = ignore;
    const stopped = new Promise<Outcome<Value>>((resolve) => {
      const stop = (reason: NoDecision): void => {
        call.abort(reason);
        resolve({ type: reason });
      };
      const end = (reason: NoDecision): void => {
        void settle();
        stop(reason);
      };
      const close = (): void => end('closed');
      const unwatch = request.watchDisconnect(() => stop('disconnected'));
      const deadline = new Deadline(request.timeout ?? this.#limits.timeout, () => end('timeout'));
      const onSettled = warnIfPending(() => this.#onSlow(request.kind));
      this.#closers.add(close);
      settle = () => {
        onSettled();
        deadline.clear();
        release();
        this.#closers.delete(close);
        return unwatch();
      };
    });
    const decide = async (): Promise<Outcome<Value>> => {
      try {
        return { type: 'decided', value: await toPromise(result) };
      } finally {
        await settle();
      }
    };
    return Promise.race([decide(), stopped]);
  }

  #isFull({ kind, address }: DecisionRequest): boolean {
    const { maxPending, maxPendingPerAddress } = this.#limits;
    if (this.#pendingByKind[kind] >= maxPending) return true;
    return this.#countsOf(kind).isFull(address, maxPendingPerAddress, maxPending);
  }

  #countsOf(kind: DecisionKind): AddressCounts {
    return kind === 'owner' ? this.#lookupsByAddress : this.#pendingByAddress;
  }

  /** Counts a call. Returns a function that stops counting it, and may be called more than once. */
  #count({ kind, address }: DecisionRequest): () => void {
    this.#pendingByKind[kind] += 1;
    this.#countsOf(kind).add(address, 1);
    let isCounted = true;
    return () => {
      if (!isCounted) return;
      isCounted = false;
      this.#pendingByKind[kind] -= 1;
      this.#countsOf(kind).add(address, -1);
    };
  }
}
