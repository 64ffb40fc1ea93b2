import type { Loss } from './loss.ts';
import type { Transport } from './transport.ts';

/** End of a session or of an attempt to open one, for `shouldReconnect`. */
export interface LossDetails extends Required<Pick<Loss, 'code' | 'reason' | 'wasClean'>> {
  /** HTTP status of a refusal, or undefined if there is none that a page may read. */
  readonly status: number | undefined;
  /** Number of the next attempt, from 1. It starts again after a session that stayed open for 2 s. */
  readonly attempt: number;
  /** Messages that were sent before the connection was lost, and of which it is unknown whether they arrived. */
  readonly uncertain: readonly string[];
}

export interface RequestOptions {
  /** Further headers of HTTP requests. Browsers cannot add headers to a WebSocket or an EventSource. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether requests have cookies. Default: `include`, which sends them to other origins too. */
  readonly credentials: 'include' | 'same-origin' | 'omit';
}

/** Options of `connect`. Times are in milliseconds. */
export interface CoreOptions extends Partial<RequestOptions> {
  /** Transports in the order in which they are attempted. */
  readonly transports: readonly Transport[];
  /**
   * Called before each attempt. The result is sent as `?token=` with the request that opens the session. A rejection
   * counts as a failed attempt.
   */
  readonly token?: () => string | undefined | Promise<string | undefined>;
  /** Decides after each loss. Default, or if it returns undefined: unless the code or the status is final. */
  readonly shouldReconnect?: (details: LossDetails) => boolean | undefined;
  /** Maximal delay before the first attempt to reconnect. It doubles with each further one. Default: 1000. */
  readonly reconnectDelay?: number;
  /** Maximal delay before an attempt to reconnect. Default: 30,000. */
  readonly maxReconnectDelay?: number;
  /** Limit for messages that wait to be sent, in bytes of UTF-8. Default: 4 MiB. */
  readonly maxBufferedBytes?: number;
  /** Minimal time for a transport to open, before the next one is attempted. Default: 1000. */
  readonly timeout?: number;
  /** Time without a frame after which the connection counts as lost. 0 turns this off. Default: 60,000. */
  readonly heartbeatTimeout?: number;
  /** The part `<server>` of session URLs. Default: a random number. */
  readonly server?: string;
  /** Returns the part `<session>` of session URLs. Default: random. */
  readonly sessionId?: () => string;
}

export type CompleteOptions = Required<CoreOptions>;

const DEFAULTS: CompleteOptions = {
  transports: [],
  token: () => undefined,
  shouldReconnect: () => undefined,
  headers: {},
  credentials: 'include',
  reconnectDelay: 1000,
  maxReconnectDelay: 30_000,
  maxBufferedBytes: 2 ** 22,
  timeout: 1000,
  heartbeatTimeout: 60_000,
  server: String(Math.random()).slice(2, 5),
  // The id is secret.
  sessionId: () => crypto.getRandomValues(new Uint32Array(4)).join(''),
};

/**
 * Adds the defaults to options.
 * @throws TypeError for an unknown or invalid option
 */
export function completeOptions(options: CoreOptions): CompleteOptions {
  const complete: CompleteOptions = { ...DEFAULTS };
  for (const [name, value] of Object.entries(options as object)) {
    if (value === undefined) continue;
    if (!(name in complete)) throw new TypeError(`Unknown option ${name}`);
    const type = typeof Reflect.get(complete, name);
    const isNumber = typeof value === 'number';
    if (typeof value !== type || value === null || (isNumber && !(value >= 0)))
      throw new TypeError(`Option ${name} must be a valid ${type}`);
    Reflect.set(complete, name, value);
  }
  return complete;
}
