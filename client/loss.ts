/** End of a session or of an attempt to open one, and the rule that decides whether the client connects again. */

export interface Loss {
  /** Close code. 1006 without a close frame. */
  readonly code: number;
  readonly reason: string;
  /** True after a close frame of SockJS. */
  readonly wasClean?: boolean;
  /** HTTP status of the response that ended it. */
  readonly status?: number | undefined;
  /** True if the messages of the failed request have reached no session. */
  readonly isUnsent?: boolean;
}

export const PROTOCOL_ERROR = 1002;
export const ABNORMAL = 1006;
export const TOO_BIG = 1009;

/** From here on the codes are those of applications. */
const MIN_APPLICATION_CODE = 3000;
/** From here on the codes are reserved for closes after which a client connects again. */
const MIN_RESERVED_CODE = 4900;

/** Returns whether a page may close with this code. */
export function isPageCode(code: number): boolean {
  return code === 1000 || (code >= MIN_APPLICATION_CODE && code < 5000);
}

/** Returns the loss for an error or a timeout. */
export function lossOf(reason: unknown): Loss {
  return { code: ABNORMAL, reason: String(reason) };
}

/** Returns the loss for an HTTP status. */
export function httpLoss(status: number): Loss {
  return { ...lossOf(`HTTP ${status}`), status };
}

/** Returns whether another attempt would end in the same way. */
export function isFinal({ code, status = 0 }: Loss): boolean {
  return (
    code === 1000 ||
    code === 1003 ||
    (code >= 1007 && code <= 1010) ||
    (code >= MIN_APPLICATION_CODE && code < MIN_RESERVED_CODE) ||
    // Another attempt may succeed after these: too slow, too early, too many requests.
    (status >= 400 && status < 500 && ![408, 425, 429].includes(status))
  );
}
