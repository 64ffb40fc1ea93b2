/** Records errors and blocked event loops anywhere in this process. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { SockJSLogger } from '../../src/index.ts';

const NANOSECONDS_PER_MS = 1e6;

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

export class ProcessMonitor {
  readonly logger: SockJSLogger = {
    debug() {},
    info() {},
    warn() {},
    error: (line) => this.report(`an error in the log: ${line}`),
  };
  readonly #delays = monitorEventLoopDelay({ resolution: 10 });
  #violations: string[] = [];
  #longestBlock = 0;

  start(): void {
    process.on('uncaughtException', this.#onException);
    process.on('unhandledRejection', this.#onRejection);
    process.on('warning', this.#onWarning);
    this.#delays.enable();
  }

  stop(): void {
    process.off('uncaughtException', this.#onException);
    process.off('unhandledRejection', this.#onRejection);
    process.off('warning', this.#onWarning);
    this.#delays.disable();
  }

  report(violation: string): void {
    this.#violations.push(violation);
  }

  /** Returns the violations since the last call. */
  take(): string[] {
    const violations = this.#violations;
    this.#violations = [];
    return violations;
  }

  /** Returns the longest block of the event loop since the last call, in milliseconds. */
  takeBlock(): number {
    const block = this.#delays.max / NANOSECONDS_PER_MS;
    this.#delays.reset();
    this.#longestBlock = Math.max(this.#longestBlock, block);
    return block;
  }

  get longestBlock(): number {
    return this.#longestBlock;
  }

  readonly #onException = (error: unknown): void => {
    this.report(`an uncaught exception: ${describe(error)}`);
  };

  readonly #onRejection = (error: unknown): void => {
    this.report(`an unhandled rejection: ${describe(error)}`);
  };

  readonly #onWarning = (warning: Error): void => {
    if (warning.name === 'MaxListenersExceededWarning') this.report(describe(warning));
  };
}
