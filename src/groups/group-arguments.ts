/** Checks of the arguments of groups. */
import { describeType, describeValue } from '../base/describe-value.ts';
import { SockJSError } from '../base/errors.ts';

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

/** @throws SockJSError `ERR_MESSAGE_TYPE` unless a value is a string */
export function checkText(text: unknown): asserts text is string {
  if (typeof text === 'string') return;
  throw new SockJSError(
    'ERR_MESSAGE_TYPE',
    `broadcast() takes a string, not ${describeType(text)}. Use JSON.stringify for other values.`,
  );
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
