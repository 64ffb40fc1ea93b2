import { debuglog } from 'node:util';
import { CONSOLE_LOGGER, type SockJSLogger, describeError } from './logging.ts';
import { isThenable } from './thenable.ts';

/** Writes to stderr if the environment variable `NODE_DEBUG` contains `sockjs-server`. */
const DEBUG_LOG = debuglog('sockjs-server');

/** Interval at which repeated errors are summarized. */
const SUMMARY_INTERVAL_MS = 60_000;
const MAX_REMEMBERED_ERRORS = 50;

function firstLines(text: string, count: number): string {
  return text.split('\n', count).join('\n');
}

/**
 * The log of one router. A logger of the application that throws or rejects has no effect on the router. A warning is
 * logged once. An error is logged once, and then counted, so that clients cannot fill the log.
 */
export class RouterLog implements SockJSLogger {
  /** Undefined while the development log is off, so that no line is formatted. */
  readonly debug: ((line: string) => void) | undefined;
  readonly #logger: SockJSLogger | undefined;
  #hasFailed = false;
  readonly #warnings = new Set<string>();
  /** Repetitions of each error since the last summary, by its message and the place that threw it. */
  readonly #repetitions = new Map<string, number>();
  #otherErrors = 0;
  #summaryTimer: NodeJS.Timeout | undefined;

  /**
   * @param logger the setting `logger`
   * @param prefix prefix of the router, for lines of the development log
   */
  constructor(logger: SockJSLogger | false, prefix: string) {
    if (logger !== false) this.#logger = logger;
    const name = prefix || '/';
    if (DEBUG_LOG.enabled) this.debug = (line) => DEBUG_LOG(`${name}: ${line}`);
    else if (this.#logger?.debug !== undefined)
      this.debug = (line) => this.#write('debug', `${name}: ${line}`);
  }

  info(line: string): void {
    this.#write('info', line);
  }

  /** Logs a warning, unless it has been logged. The caller limits warnings that contain client input. */
  warn(line: string): void {
    if (this.#warnings.has(line)) return;
    this.#warnings.add(line);
    this.#write('warn', line);
  }

  /**
   * Logs an error, unless an error with the same message and the same first stack line has been logged. Once a minute,
   * the number of repetitions is logged.
   */
  error(text: string): void {
    const key = firstLines(text, 2);
    const repetitions = this.#repetitions.get(key);
    if (repetitions !== undefined) {
      this.#repetitions.set(key, repetitions + 1);
    } else if (this.#repetitions.size < MAX_REMEMBERED_ERRORS) {
      this.#repetitions.set(key, 0);
      this.#write('error', text);
    } else {
      this.#otherErrors += 1;
    }
    this.#scheduleSummary();
  }

  #scheduleSummary(): void {
    if (this.#summaryTimer !== undefined) return;
    this.#summaryTimer = setTimeout(this.#summarize, SUMMARY_INTERVAL_MS).unref();
  }

  /** Logs the repetitions of the last minute. An error without repetitions is logged in full the next time. */
  readonly #summarize = (): void => {
    this.#summaryTimer = undefined;
    for (const [key, repetitions] of this.#repetitions) {
      if (repetitions === 0) this.#repetitions.delete(key);
      else this.#logRepetitions(key, repetitions);
    }
    if (this.#otherErrors > 0)
      this.#write('error', `${this.#otherErrors} other errors in a minute`);
    this.#otherErrors = 0;
    if (this.#repetitions.size > 0) this.#scheduleSummary();
  };

  #logRepetitions(key: string, repetitions: number): void {
    this.#repetitions.set(key, 0);
    this.#write('error', `${repetitions} more times in a minute: ${firstLines(key, 1)}`);
  }

  #write(level: keyof SockJSLogger, line: string): void {
    try {
      const result: unknown = this.#logger?.[level]?.(line);
      if (!isThenable(result)) return;
      new Promise((resolve) => resolve(result)).catch(this.#reportFailure);
    } catch (error) {
      this.#reportFailure(error);
    }
  }

  readonly #reportFailure = (error: unknown): void => {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    try {
      CONSOLE_LOGGER.error(
        `The setting logger failed. Its further errors are not shown: ${describeError(error)}`,
      );
    } catch {
      // The console fails too.
    }
  };
}
