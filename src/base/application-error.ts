import { describeError } from './logging.ts';

/** Error of a function of the application, with the name of the function. */
export class ApplicationError extends Error {
  readonly source: string;

  /**
   * @param source name of the function, at the beginning of a log line
   * @param cause value that the function threw, or that its promise rejected with
   */
  constructor(source: string, cause: unknown) {
    super(`${source} failed`, { cause });
    this.name = 'ApplicationError';
    this.source = source;
    this.stack = `${this.message}: ${describeError(cause)}`;
  }
}
