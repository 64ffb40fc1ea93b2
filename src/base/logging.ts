/** Loggers, and the formatting of errors and client input for log lines. */
import { inspect } from 'node:util';
import { TRANSPORT_NAMES } from './transport-name.ts';

/**
 * Receives log lines. `console` and pino loggers fit. What a method throws or rejects with is reported once on the
 * console, and otherwise ignored.
 */
export interface SockJSLogger {
  /** Receives the development log: a line for each session that opens or closes, and for each refusal. */
  debug?: ((line: string) => void) | undefined;
  info(line: string): void;
  warn(line: string): void;
  error(line: string): void;
}

/* oxlint-disable no-console -- the default logger is the one place that may write to the console */
/** Writes warnings and errors to the console. */
export const CONSOLE_LOGGER: SockJSLogger = {
  info: () => undefined,
  warn: (line) => console.warn(line),
  error: (line) => console.error(line),
};
/* oxlint-enable no-console */

const MAX_LOGGED_CHARACTERS = 1000;
const MAX_STACK_LINES = 20;

// oxlint-disable-next-line no-control-regex -- the pattern finds control characters
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

function escapeCharacter(character: string): string {
  const json = JSON.stringify(character).slice(1, -1);
  return json === character ? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}` : json;
}

/**
 * Escapes control characters, so that client input can neither start a new log line, nor control a terminal, nor
 * reverse the direction of text.
 */
export function escapeControl(text: string): string {
  return text.replace(CONTROL, escapeCharacter);
}

function truncate(text: string, maxLength = MAX_LOGGED_CHARACTERS): string {
  return text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
}

/** Returns the index of the first stack line. The lines before it are the message, which may contain client input. */
function findStackStart(lines: readonly string[]): number {
  return lines.findLastIndex((line) => !line.startsWith('    at ')) + 1;
}

/** Formats a thrown value for the log: its message on one line, then at most 20 lines of its stack. Never throws. */
export function describeError(error: unknown): string {
  try {
    if (!(error instanceof Error)) return escapeControl(truncate(inspect(error, { depth: 1 })));
    const lines = (error.stack ?? error.message).split('\n');
    const stackStart = findStackStart(lines);
    const message = lines.slice(0, stackStart).join('\n');
    const stack = lines.slice(stackStart, stackStart + MAX_STACK_LINES);
    return [message, ...stack].map((part) => escapeControl(truncate(part))).join('\n');
  } catch {
    return 'an error that cannot be described';
  }
}

const MAX_QUOTED_CHARACTERS = 100;
/** Limit for the parts of a path that are examined. */
const MAX_LOGGED_PARTS = 3;

/** Quotes client input for a log line: truncated to 100 characters, with every control character escaped. */
export function quoteForLog(text: string): string {
  return escapeControl(JSON.stringify(truncate(text, MAX_QUOTED_CHARACTERS)));
}

/** Last parts of URLs that can follow a session id, and `info`, which wrong URLs have there. */
const ENDPOINTS: ReadonlySet<string> = new Set([
  ...TRANSPORT_NAMES,
  'xhr_send',
  'jsonp_send',
  'info',
]);

/**
 * Returns a path for a log line, quoted. Of the path below the prefix, everything between its first part and the name
 * of an endpoint is left out, since it may be a session id, which is secret.
 */
export function pathForLog(prefix: string, path: string): string {
  const [start = '', first = '', ...rest] = path.split(/\/|%2f/i, MAX_LOGGED_PARTS);
  if (rest.length === 0) return quoteForLog(prefix + path);
  const last = path.slice(path.lastIndexOf('/') + 1);
  return quoteForLog(
    [prefix + start, first, '…', ...(ENDPOINTS.has(last) ? [last] : [])].join('/'),
  );
}
