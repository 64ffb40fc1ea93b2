import assert from 'node:assert/strict';

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly line: string;
}

/** Logger for the setting `logger` that records lines until the test takes them. */
export class RecordingLogger {
  #lines: LogLine[] = [];

  debug(line: string): void {
    this.#lines.push({ level: 'debug', line });
  }

  info(line: string): void {
    this.#lines.push({ level: 'info', line });
  }

  warn(line: string): void {
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
