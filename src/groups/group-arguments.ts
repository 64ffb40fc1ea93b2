/** Checks of the arguments of groups. */
import { describeType, describeValue } from '../base/describe-value.ts';
import { SockJSError } from '../base/errors.ts';
import { checkTextLength } from '../sessions/create-message.ts';

const MAX_NAME_LENGTH = 256;

/** @throws SockJSError `ERR_ARGUMENT` unless a value is the name of a group */
export function checkGroupName(name: unknown): asserts name is string {
  if (typeof name !== 'string') {
    throw new SockJSError(
      'ERR_ARGUMENT',
      `The name of a group is a string, not ${describeType(name)}.`,
    );
  }
  if (name.length > 0 && name.length <= MAX_NAME_LENGTH && name.isWellFormed()) return;
  throw new SockJSError(
    'ERR_ARGUMENT',
    `The name of a group has 1 to ${MAX_NAME_LENGTH} characters of well-formed text, unlike ${describeValue(name)}.`,
  );
}

/** @throws SockJSError `ERR_MESSAGE_TYPE` unless a value is a string that is not too long */
export function checkText(text: unknown): asserts text is string {
  if (typeof text === 'string') return checkTextLength(text);
  throw new SockJSError(
    'ERR_MESSAGE_TYPE',
    `broadcast() takes a string, not ${describeType(text)}. Use JSON.stringify for other values.`,
  );
}

/** @throws SockJSError `ERR_ARGUMENT` unless the options of a call are an object that has no other option */
export function checkGroupOptions(
  call: string,
  option: 'except' | 'presence',
  options: unknown,
): void {
  const example = `{ ${option}: … }`;
  if (typeof options !== 'object' || options === null) {
    throw new SockJSError(
      'ERR_ARGUMENT',
      `The options of ${call} are an object such as ${example}, not ${describeType(options)}. Leave them out for none.`,
    );
  }
  const unknown = Object.keys(options).find((name) => name !== option);
  if (unknown === undefined) return;
  throw new SockJSError(
    'ERR_ARGUMENT',
    `${call} has no option ${describeValue(unknown)}. Use ${example}.`,
  );
}

const CALLBACKS = ['joined', 'updated', 'left', 'missed'] as const;

/** @throws SockJSError `ERR_ARGUMENT` unless a value is an object whose callbacks are functions */
export function checkWatcher(watcher: unknown): void {
  if (typeof watcher !== 'object' || watcher === null) {
    throw new SockJSError(
      'ERR_ARGUMENT',
      `watch() takes an object with the methods ${CALLBACKS.join(', ')}, not ${describeType(watcher)}.`,
    );
  }
  for (const name of CALLBACKS) {
    const callback: unknown = Reflect.get(watcher, name);
    if (callback === undefined || typeof callback === 'function') continue;
    throw new SockJSError(
      'ERR_ARGUMENT',
      `The callback ${name} of watch() is a function, not ${describeType(callback)}.`,
    );
  }
}

const NOBODY: ReadonlySet<object> = new Set();

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value;
}

/**
 * Returns the connections that do not get a broadcast.
 * @throws SockJSError `ERR_ARGUMENT` unless a value is an object, or an iterable of objects
 */
export function toExceptions(except: unknown): ReadonlySet<object> {
  if (except === undefined) return NOBODY;
  const exceptions = new Set<object>();
  for (const connection of isIterable(except) ? except : [except]) {
    if (typeof connection !== 'object' || connection === null) {
      throw new SockJSError(
        'ERR_ARGUMENT',
        `The option except of broadcast() takes connections, not ${describeType(connection)}.`,
      );
    }
    exceptions.add(connection);
  }
  return exceptions;
}

/**
 * Returns a presence as JSON.
 * @throws SockJSError `ERR_ARGUMENT` if JSON cannot represent it, `ERR_GROUP_LIMIT` if it is too long
 */
export function encodePresence(presence: unknown, maxBytes: number): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(presence);
  } catch {
    // A cycle, a BigInt or an error of toJSON: json stays undefined.
  }
  if (json === undefined)
    throw new SockJSError('ERR_ARGUMENT', 'A presence is a value that JSON.stringify accepts.');
  const bytes = Buffer.byteLength(json);
  if (bytes <= maxBytes) return json;
  throw new SockJSError(
    'ERR_GROUP_LIMIT',
    `The presence has ${bytes} bytes as JSON, and maxPresenceBytes is ${maxBytes}. ` +
      'Store a key, or increase the setting.',
  );
}
