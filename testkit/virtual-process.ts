/** Time of a process in tests: its timers, `performance.now`, and stalls as by SIGSTOP. Sockets are real. */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Turns of the event loop after each step in which a timer has fired. */
const TURNS_PER_STEP = 4;

type Callback = (...args: unknown[]) => void;

/** A process of a simulation that shares the real process with others. Its callbacks run only while it runs. */
export interface TimerOwner {
  readonly state: 'dead' | 'running' | 'stalled';
  call(callback: () => void): void;
}

interface Timer {
  due: number;
  readonly owner: TimerOwner | undefined;
  /** Undefined for a timer of `setTimeout`. */
  readonly interval: number | undefined;
  readonly run: () => void;
}

interface Immediate {
  readonly owner: TimerOwner | undefined;
  readonly run: () => void;
}

function hasState({ owner }: Immediate, state: TimerOwner['state']): boolean {
  return (owner?.state ?? 'running') === state;
}

function runFor({ owner, run }: Immediate): void {
  if (owner === undefined) run();
  else owner.call(run);
}

function nextTick(): Promise<void> {
  return new Promise((resolve) => {
    process.nextTick(resolve);
  });
}

/** The part of `t.mock` of `node:test` that this class uses. */
export interface Mocks {
  method(object: object, name: string, implementation: (...args: never[]) => unknown): unknown;
}

/** `t.mock` for a program, or for a test that replaces methods again and again. */
export class MethodMocks implements Mocks {
  readonly #restorers: (() => void)[] = [];

  method(object: object, name: string, implementation: (...args: never[]) => unknown): void {
    const original = Reflect.getOwnPropertyDescriptor(object, name);
    Reflect.defineProperty(object, name, {
      value: implementation,
      configurable: true,
      writable: true,
    });
    this.#restorers.push(() => {
      if (original === undefined) Reflect.deleteProperty(object, name);
      else Reflect.defineProperty(object, name, original);
    });
  }

  restore(): void {
    for (const restore of this.#restorers.splice(0)) restore();
  }
}

/**
 * Replaces timers and immediates of the process. Unlike `t.mock.timers`, they behave as in Node after a stall: each
 * timer that has become due fires once, before sockets are read, and an interval starts again from then on.
 */
export class VirtualProcess {
  readonly #timers = new Map<object, Timer>();
  readonly #currentOwner: () => TimerOwner | undefined;
  #immediates = new Map<object, Immediate>();
  #now = 0;

  /**
   * @param mocks `t.mock`, which restores the timers at the end of the test
   * @param currentOwner returns the owner of the timers that the running code sets
   */
  constructor(mocks: Mocks, currentOwner: () => TimerOwner | undefined = () => undefined) {
    this.#currentOwner = currentOwner;
    const { clearTimeout: clearRealTimeout, clearImmediate: clearRealImmediate } = globalThis;
    const clearTimer = (handle: object | undefined): void => {
      if (handle === undefined || this.#timers.delete(handle)) return;
      clearRealTimeout(handle as NodeJS.Timeout);
    };
    mocks.method(performance, 'now', this.now);
    mocks.method(globalThis, 'setTimeout', (callback: Callback, delay = 1, ...args: unknown[]) =>
      this.#addTimer(() => callback(...args), delay, undefined),
    );
    mocks.method(globalThis, 'setInterval', (callback: Callback, delay = 1, ...args: unknown[]) =>
      this.#addTimer(() => callback(...args), delay, Math.max(1, delay)),
    );
    mocks.method(globalThis, 'clearTimeout', clearTimer);
    mocks.method(globalThis, 'clearInterval', clearTimer);
    mocks.method(globalThis, 'setImmediate', (callback: Callback, ...args: unknown[]) => {
      const handle = {};
      this.#immediates.set(handle, { owner: currentOwner(), run: () => callback(...args) });
      return handle;
    });
    mocks.method(globalThis, 'clearImmediate', (handle: object | undefined) => {
      if (handle === undefined || this.#immediates.delete(handle)) return;
      clearRealImmediate(handle as NodeJS.Immediate);
    });
  }

  /** Returns the milliseconds since the process was created. Bound, so that it can be passed as a clock. */
  readonly now = (): number => this.#now;

  /** Number of timers that have not fired or been cleared. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Number of timers of one owner. */
  timersOf(owner: TimerOwner): number {
    return [...this.#timers.values()].filter((timer) => timer.owner === owner).length;
  }

  /** Lets time pass in which the process does nothing. Timers that become due fire when it runs again. */
  stall(milliseconds: number): void {
    this.#now += milliseconds;
  }

  /** Fires the timers that are due now. */
  fireTimers(): void {
    for (const timer of this.#dueTimers()) this.#fire(timer);
  }

  /** Runs the immediates that were set before. */
  runImmediates(): void {
    const immediates = this.#immediates;
    this.#immediates = new Map();
    for (const [handle, immediate] of immediates) {
      if (hasState(immediate, 'stalled')) this.#immediates.set(handle, immediate);
      else if (hasState(immediate, 'running')) runFor(immediate);
    }
  }

  /** Lets time pass in which the event loop runs: timers fire when they are due, and sockets are read. */
  async run(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    do {
      for (const timer of this.#dueTimers()) {
        this.#fire(timer);
        await nextTick(); // As in Node, which calls `process.nextTick` callbacks after each timer.
      }
      for (let turn = 0; turn < TURNS_PER_STEP; turn += 1) {
        await nextTurn();
        this.runImmediates();
      }
    } while (this.#advance(end));
  }

  /** Like `run`, for a test without sockets and promises. */
  runSync(milliseconds: number): void {
    const end = this.#now + milliseconds;
    do {
      this.fireTimers();
      for (let turn = 0; turn < TURNS_PER_STEP; turn += 1) this.runImmediates();
    } while (this.#advance(end));
  }

  #dueTimers(): readonly [object, Timer][] {
    const due = this.#running().filter(([, timer]) => timer.due <= this.#now);
    return due.toSorted(([, a], [, b]) => a.due - b.due);
  }

  #fire([handle, timer]: readonly [object, Timer]): void {
    if (!this.#timers.has(handle) || !hasState(timer, 'running')) return;
    if (timer.interval === undefined) this.#timers.delete(handle);
    runFor(timer);
    if (timer.interval !== undefined) timer.due = this.#now + timer.interval;
  }

  /** Moves the time to the next timer, or to the end. Returns false if no timer is due until then. */
  #advance(end: number): boolean {
    const next = Math.min(...this.#running().map(([, { due }]) => due));
    this.#now = Math.max(this.#now, Math.min(next, end));
    return next <= end;
  }

  /** Returns the timers of processes that run, and drops those of dead ones. */
  #running(): [object, Timer][] {
    const running: [object, Timer][] = [];
    for (const entry of this.#timers) {
      const [handle, timer] = entry;
      if (hasState(timer, 'dead')) this.#timers.delete(handle);
      else if (hasState(timer, 'running')) running.push(entry);
    }
    return running;
  }

  #addTimer(run: () => void, delay: number, interval: number | undefined): object {
    const handle = { unref: () => handle };
    const due = this.#now + Math.max(1, delay);
    this.#timers.set(handle, { due, owner: this.#currentOwner(), interval, run });
    return handle;
  }
}
