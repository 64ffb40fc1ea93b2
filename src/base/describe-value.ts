/** Descriptions of wrong values for error messages. */
import { inspect } from 'node:util';

const MAX_DESCRIBED_CHARACTERS = 200;

/** Names the type of a value, for messages about values that may be secret. */
export function describeType(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== 'object') return `a ${typeof value}`;
  if (Array.isArray(value)) return 'an array';
  const { constructor } = value;
  if (typeof constructor !== 'function' || constructor === Object) return 'an object';
  return `an instance of ${constructor.name || 'an anonymous class'}`;
}

/** Returns whether a value is an instance of a class that the application has defined. */
function isInstance(value: unknown): boolean {
  const isObject = Object.prototype.toString.call(value) === '[object Object]';
  return isObject && describeType(value) !== 'an object';
}

/** Formats a value, on one line. */
export function describeValue(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  if (isInstance(value)) return describeType(value);
  const text = inspect(value, { depth: 1, breakLength: Infinity });
  const isLong = text.length > MAX_DESCRIBED_CHARACTERS;
  return isLong ? `${text.slice(0, MAX_DESCRIBED_CHARACTERS)}…` : text;
}
