/** Notices what must never happen, wherever in this process it does. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { SockJSLogger } from '../../src/index.ts';

const NANOSECONDS = 1e6;

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

export class Watch {
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
    process.on('uncaughtException', this.#uncaught);
    process.on('unhandledRejection', this.#unhandled);
    process.on('warning', this.#warned);
    this.#delays.enable();
  }

  stop(): void {
    process.off('uncaughtException', this.#uncaught);
    process.off('unhandledRejection', this.#unhandled);
    process.off('warning', this.#warned);
    this.#delays.disable();
  }

  report(violation: string): void {
    this.#violations.push(violation);
  }

  /** All since the last time. */
  take(): string[] {
    const violations = this.#violations;
    this.#violations = [];
    return violations;
  }

  /** For how long nothing else could be done, since the last time; in milliseconds. */
  takeBlock(): number {
    const block = this.#delays.max / NANOSECONDS;
    this.#delays.reset();
    this.#longestBlock = Math.max(this.#longestBlock, block);
    return block;
  }

  get longestBlock(): number {
    return this.#longestBlock;
  }

  readonly #uncaught = (error: unknown): void => {
    this.report(`an uncaught exception: ${describe(error)}`);
  };

  readonly #unhandled = (error: unknown): void => {
    this.report(`an unhandled rejection: ${describe(error)}`);
  };

  readonly #warned = (warning: Error): void => {
    if (warning.name === 'MaxListenersExceededWarning') this.report(describe(warning));
  };
}
