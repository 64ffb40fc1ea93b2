/** What the values of settings may be, and how that is said. */
import { inspect } from 'node:util';

/** What a value must be, in words and as a test. */
export type Rule = { readonly expected: string; readonly isValid: (value: unknown) => boolean };

const DAY = 86_400_000;
const GIBIBYTE = 1024 ** 3;

export function integer(unit: string, least: number, most: number): Rule {
  return {
    expected: `a whole number of ${unit} from ${least} to ${most}`,
    isValid: (value) => Number.isInteger(value) && Number(value) >= least && Number(value) <= most,
  };
}

export const MILLISECONDS: Rule = integer('milliseconds', 1, DAY);
export const BYTES: Rule = integer('bytes', 1, GIBIBYTE);
export const BOOLEAN: Rule = {
  expected: 'true or false',
  isValid: (value) => typeof value === 'boolean',
};

export function isFunction(value: unknown): boolean {
  return typeof value === 'function';
}

export function oneOf(...values: readonly string[]): Rule {
  return {
    expected: values.map((value) => `'${value}'`).join(' or '),
    isValid: (value) => values.some((known) => known === value),
  };
}

/** What the rule says, or a function. */
export function orFunction({ expected, isValid }: Rule): Rule {
  return {
    expected: `${expected} or a function`,
    isValid: (value) => isFunction(value) || isValid(value),
  };
}

export function isListOf(value: unknown, isValid: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(isValid);
}

// scheme://host[:port] and nothing after it; the first label of the host may be `*`. A comma or a semicolon
// would end it in the policy of the iframe page.
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/(\*\.)?[^\s/*?#@,;]+$/i;
/** All that browsers put into an origin: other letters of a host are in punycode. */
const PRINTABLE_ASCII = /^[!-~]+$/;

export function isOrigin(value: unknown): boolean {
  if (value === 'null') return true;
  return typeof value === 'string' && ORIGIN.test(value) && PRINTABLE_ASCII.test(value);
}

export const FUNCTION: Rule = { expected: 'a function', isValid: isFunction };

function isUrl(value: unknown): boolean {
  return (
    value instanceof URL || (typeof value === 'string' && /^(https?:\/\/|file:|\/)./i.test(value))
  );
}

export const URL_TEXT: Rule = {
  expected: 'a URL such as https://example.com/sockjs or /sockjs, or a file: URL',
  isValid: isUrl,
};

export function isLogger(value: unknown): boolean {
  if (value === false) return true;
  if (typeof value !== 'object' || value === null) return false;
  const methods = new Map<string, unknown>(
    ['debug', 'info', 'warn', 'error'].map((name) => [name, Reflect.get(value, name)]),
  );
  return [...methods.values()].every((method) => typeof method === 'function');
}

/** A value as it stands in an error. */
export function describe(value: unknown): string {
  return typeof value === 'function'
    ? 'a function'
    : inspect(value, { depth: 1, breakLength: Infinity });
}
