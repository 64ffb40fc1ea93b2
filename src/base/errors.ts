import { inspect } from 'node:util';

/**
 * Every error that this library throws or rejects with is a `SockJSError` whose `code` never changes
 * between releases; the message says what to do and may be reworded.
 */
export type SockJSErrorCode =
  /** A setting has an unknown name or a value that it cannot take. */
  | 'ERR_SETTING'
  /** A method was called with something that it cannot take. */
  | 'ERR_ARGUMENT'
  /** `close()` was called with a code or a reason that no WebSocket may carry. */
  | 'ERR_CLOSE_ARGUMENT'
  /** `send()` was called with something that this transport cannot carry. */
  | 'ERR_MESSAGE_TYPE'
  /** A connection was used that no router opened. */
  | 'ERR_NOT_CONNECTED'
  /** The same router was attached twice to the same server. */
  | 'ERR_ATTACHED'
  /** A request body is longer than `maxMessageBytes`. */
  | 'ERR_BODY_TOO_LARGE'
  /** The client went away before its request body was complete. */
  | 'ERR_BODY_ABORTED'
  /** A request body was not complete within `bodyTimeout`. */
  | 'ERR_BODY_TIMEOUT'
  /** More than `maxTotalBufferedBytes` wait in this process. */
  | 'ERR_NO_MEMORY';

/** An error of this library. Tell errors apart by their `code`. */
export class SockJSError extends Error {
  readonly code: SockJSErrorCode;

  constructor(code: SockJSErrorCode, message: string) {
    super(message);
    this.name = 'SockJSError';
    this.code = code;
  }
}

// oxlint-disable-next-line no-control-regex -- control characters are what has to be found
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

/** Characters of what was thrown, and calls that led to it, in one log line. */
const LONGEST_SHOWN = 1000;
const MOST_CALLS = 20;

function escaped(character: string): string {
  const json = JSON.stringify(character).slice(1, -1);
  return json === character ? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}` : json;
}

/** Nothing in it can begin a line, or tell a terminal what to do. */
export function escapeControl(text: string): string {
  return text.replace(CONTROL, escaped);
}

function cut(text: string): string {
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text;
}

/** Where the calls that led to an error begin; what stands before them may be a client's words. */
function beginOfCalls(lines: readonly string[]): number {
  return lines.findLastIndex((line) => !line.startsWith('    at ')) + 1;
}

/** Whatever was thrown, for a log line: a client's words in it cannot begin a line of their own. */
export function describeError(error: unknown): string {
  try {
    if (!(error instanceof Error)) return escapeControl(cut(inspect(error, { depth: 1 })));
    const lines = (error.stack ?? error.message).split('\n');
    const begin = beginOfCalls(lines);
    const head = lines.slice(0, begin).join('\n');
    const calls = lines.slice(begin, begin + MOST_CALLS);
    return [head, ...calls].map((part) => escapeControl(cut(part))).join('\n');
  } catch {
    return 'an error that cannot be described';
  }
}
