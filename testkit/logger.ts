import assert from 'node:assert/strict';

export interface LogLine {
  readonly level: 'info' | 'warn' | 'error';
  readonly line: string;
}

/** Warning about times that tests shorten, so as not to wait. */
const SHORT_TIME = /^\w+ is \d+ ms\. Times are in milliseconds/;

/**
 * Logger for the setting `logger` that records lines until the test takes them. It has no method `debug`, so that the
 * development log is off. The warning about short times is not recorded.
 */
export class RecordingLogger {
  #lines: LogLine[] = [];

  info(line: string): void {
    this.#lines.push({ level: 'info', line });
  }

  warn(line: string): void {
    if (SHORT_TIME.test(line)) return;
    this.#lines.push({ level: 'warn', line });
  }

  error(line: string): void {
    this.#lines.push({ level: 'error', line });
  }

  /** Removes and returns all lines so far. A line that was taken counts as expected. */
  take(): LogLine[] {
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }

  /** @throws AssertionError for a warning or an error that has not been taken */
  assertNoProblems(): void {
    const problems = this.take().filter(({ level }) => level === 'warn' || level === 'error');
    assert.deepEqual(problems, [], 'unexpected log lines');
  }
}
