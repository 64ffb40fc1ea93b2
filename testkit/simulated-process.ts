/** Processes of a simulation. Several share the real process, so that a test can stall or kill one of them. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { TimerOwner } from './virtual-process.ts';

const storage = new AsyncLocalStorage<SimulatedProcess | undefined>();

/** Runs code outside of all simulated processes, as the system or another machine does. */
export function runOutside<Value>(callback: () => Value): Value {
  return storage.run(undefined, callback);
}

/**
 * Code that `run` calls belongs to the process, and so do its promises and its timers in a `VirtualProcess`. Pass
 * `SimulatedProcess.current` to its constructor.
 */
export class SimulatedProcess implements TimerOwner {
  readonly name: string;
  #state: TimerOwner['state'] = 'running';
  /** Events that have reached the process while it was stalled. */
  #held: (() => void)[] = [];
  #isResuming = false;

  constructor(name: string) {
    this.name = name;
  }

  /** Returns the process to which the running code belongs. */
  static readonly current = (): SimulatedProcess | undefined => storage.getStore();

  get state(): TimerOwner['state'] {
    return this.#state;
  }

  get isDead(): boolean {
    return this.#state === 'dead';
  }

  /** Runs a callback, later if the process is stalled, and never if it is dead. */
  readonly run = (callback: () => void): void => {
    if (this.#state === 'running' && !this.#isResuming) storage.run(this, callback);
    else if (!this.isDead) this.#held.push(callback);
  };

  /** Calls a function of the process at once. */
  call<Value>(callback: () => Value): Value {
    return storage.run(this, callback);
  }

  /** Stops the process, as by SIGSTOP. */
  stall(): void {
    if (this.#state === 'running') this.#state = 'stalled';
  }

  /** Resumes the process, as by SIGCONT: timers that are due fire first, and then the sockets are read. */
  resume(): void {
    if (this.#state !== 'stalled') return;
    this.#state = 'running';
    this.#isResuming = true;
    this.#runHeldSoon();
  }

  /** Kills the process, as by SIGKILL. Its timers and promises have no effect on others any more. */
  kill(): void {
    this.#state = 'dead';
    this.#held = [];
  }

  /** Runs the events one after the other, each as an event of its own. */
  #runHeldSoon(): void {
    runOutside(() => setTimeout(() => this.#runHeld(), 1));
  }

  #runHeld(): void {
    if (this.#state !== 'running') return;
    const callback = this.#held.shift();
    if (callback === undefined) {
      this.#isResuming = false;
      return;
    }
    storage.run(this, callback);
    this.#runHeldSoon();
  }
}
