import { checkCloseArguments } from '../base/close-arguments.ts';
import { CLOSE_REASONS } from '../base/close-reasons.ts';
import { SockJSError } from '../base/errors.ts';

/** Options of `SockJSRouter.close`. */
export interface RouterCloseOptions {
  /** Code of the close frame for every client. Default: 1001. */
  readonly code?: number;
  /** Reason of the close frame, at most 123 bytes. Default: "Server is going away". */
  readonly reason?: string;
  /** Time clients have to receive the close frame, in milliseconds. Then they are aborted. Default: 5000. */
  readonly timeout?: number;
}

const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Returns the options with every default filled in.
 * @throws SockJSError `ERR_CLOSE_ARGUMENT`
 */
export function resolveCloseOptions(options: RouterCloseOptions): Required<RouterCloseOptions> {
  const { goingAway } = CLOSE_REASONS;
  const { code = goingAway.code, reason = goingAway.reason, timeout = 5000 } = options;
  checkCloseArguments(code, reason);
  if (!(timeout >= 0 && timeout <= MAX_TIMER_MS)) {
    throw new SockJSError(
      'ERR_CLOSE_ARGUMENT',
      `The timeout must be a number of milliseconds from 0 to ${MAX_TIMER_MS}, not ${timeout}.`,
    );
  }
  return { code, reason, timeout };
}
