/** Rules that validate the values of settings, each with its part of the error message. */
import { closestName } from './closest-name.ts';
import type { SockJSLogger } from './logging.ts';
import { explainOrigins } from './origin-advice.ts';
import { TRANSPORT_NAMES, type TransportName } from './transport-name.ts';

export interface Rule<Value> {
  /** Completes the sentence "NAME must be …". */
  readonly expected: string;
  /** Unit of a number, in plural. */
  readonly unit?: string;
  readonly isValid: (value: unknown) => value is Value;
  /** Explains what is wrong with an invalid value, in whole sentences. */
  readonly explain?: (value: unknown) => string | undefined;
}

const MS_PER_DAY = 86_400_000;
const BYTES_PER_GIBIBYTE = 1024 ** 3;

export function integer(unit: string, minimum: number, maximum: number): Rule<number> {
  return {
    expected: `a whole number of ${unit} from ${minimum} to ${maximum}`,
    unit,
    isValid: (value): value is number =>
      Number.isInteger(value) && Number(value) >= minimum && Number(value) <= maximum,
  };
}

export const MILLISECONDS: Rule<number> = integer('milliseconds', 1, MS_PER_DAY);
export const MILLISECONDS_OR_INFINITY: Rule<number> = {
  expected: 'a number of milliseconds from 1, or Infinity',
  unit: 'milliseconds',
  isValid: (value): value is number => typeof value === 'number' && value >= 1,
};
export const BYTES: Rule<number> = integer('bytes', 1, BYTES_PER_GIBIBYTE);

/** Compression of WebSocket messages. */
export interface Compression {
  /** Length in bytes from which messages are compressed. Default: 1024. */
  readonly threshold?: number | undefined;
}

const THRESHOLD: Rule<number> = integer('bytes', 0, BYTES_PER_GIBIBYTE);

export const COMPRESSION: Rule<false | Compression> = {
  expected: `false or an object such as { threshold: 1024 }, whose threshold is ${THRESHOLD.expected}`,
  isValid: (value): value is false | Compression => {
    if (value === false) return true;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    return Object.entries(value).every(
      ([name, option]) =>
        name === 'threshold' && (option === undefined || THRESHOLD.isValid(option)),
    );
  },
};

export const MESSAGES_PER_SECOND: Rule<number> = {
  expected: 'a number of messages above 0, or Infinity',
  unit: 'messages per second',
  isValid: (value): value is number => typeof value === 'number' && value > 0,
};

export const BOOLEAN: Rule<boolean> = {
  expected: 'true or false',
  isValid: (value) => typeof value === 'boolean',
};

/** Checks only `typeof`: the parameters and the result of a function cannot be checked. */
export function functionOf<Callback>(): Rule<Callback> {
  return {
    expected: 'a function',
    isValid: (value): value is Callback => typeof value === 'function',
  };
}

/** @param expected completes the sentence "NAME must be …" */
export function instanceOf<Value>(
  type: abstract new (...args: never) => Value,
  expected: string,
): Rule<Value> {
  return { expected, isValid: (value): value is Value => value instanceof type };
}

export function oneOf<Value extends string>(...values: readonly Value[]): Rule<Value> {
  return {
    expected: values.map((value) => `'${value}'`).join(' or '),
    isValid: (value): value is Value => values.some((allowed) => allowed === value),
  };
}

export function either<First, Second>(
  first: Rule<First>,
  second: Rule<Second>,
): Rule<First | Second> {
  return {
    expected: `${first.expected} or ${second.expected}`,
    isValid: (value): value is First | Second => first.isValid(value) || second.isValid(value),
    explain: (value) => first.explain?.(value) ?? second.explain?.(value),
  };
}

function isListOf<Item>(
  value: unknown,
  isItem: (item: unknown) => item is Item,
): value is readonly Item[] {
  return Array.isArray(value) && value.every(isItem);
}

function isString(value: unknown): value is string {
  return typeof value === 'string';
}

function isTransportName(value: unknown): value is TransportName {
  return TRANSPORT_NAMES.some((name) => name === value);
}

/** Names of sockjs-client and others, in lower case without `-`. */
const TRANSPORT_ALIASES: Readonly<Record<string, TransportName>> = {
  iframeeventsource: 'eventsource',
  iframehtmlfile: 'htmlfile',
  iframexhrpolling: 'xhr',
  jsonppolling: 'jsonp',
  polling: 'xhr',
  sse: 'eventsource',
  streaming: 'xhr_streaming',
  xdrpolling: 'xhr',
  xdrstreaming: 'xhr_streaming',
  xhrpolling: 'xhr',
};

export const TRANSPORT_LIST: Rule<readonly TransportName[]> = {
  expected: `a list of ${TRANSPORT_NAMES.join(', ')}`,
  isValid: (value) => isListOf(value, isTransportName),
  explain(value) {
    const list: readonly unknown[] = Array.isArray(value) ? value : [value];
    const wrong = list.find((item) => isString(item) && !isTransportName(item));
    if (!isString(wrong)) return undefined;
    const name = closestName(wrong, TRANSPORT_NAMES, TRANSPORT_ALIASES);
    return name && `There is no transport '${wrong}'. Did you mean '${name}'?`;
  },
};

// scheme://host[:port] and nothing after it. The first label of the host may be `*`, and so may the port. A comma or a
// semicolon would end the origin in the Content-Security-Policy of the iframe page.
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/(\*\.)?[^\s/*?#@,;]+(:\*)?$/i;
/** Origin of pages without a host, such as `file://` in packaged applications. Pages of the web have a host. */
const ORIGIN_WITHOUT_HOST = /^(?!https?:|wss?:)[a-z][a-z0-9+.-]*:\/\/$/i;
/** Schemes of WebSockets, which no page has, and a colon without a port. */
const NEVER_AN_ORIGIN = /^wss?:|:$/i;
/** Browsers send origins in ASCII: a host with other letters is in punycode. */
const PRINTABLE_ASCII = /^[!-~]+$/;

function isOrigin(value: unknown): value is string {
  if (value === 'null') return true;
  if (!isString(value) || NEVER_AN_ORIGIN.test(value) || !PRINTABLE_ASCII.test(value)) return false;
  return ORIGIN.test(value) || ORIGIN_WITHOUT_HOST.test(value);
}

export const ORIGIN_LIST: Rule<'*' | readonly string[]> = {
  expected:
    "'*', a list of origins such as 'https://app.example.com', 'https://*.example.com' or 'http://localhost:*' " +
    '(in ASCII, as browsers send them: other letters in punycode, "xn--…")',
  isValid: (value) => value === '*' || isListOf(value, isOrigin),
  explain: (value) => explainOrigins(value, isOrigin),
};

/** A host name without port, in ASCII. The first label may be `*`. */
const HOST_NAME = /^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?$/i;

export const HOST_LIST: Rule<'*' | readonly string[]> = {
  expected:
    "'*', or a list of host names such as 'app.example.com' or '*.example.com', without scheme and port",
  isValid: (value) =>
    value === '*' ||
    isListOf(value, (item): item is string => isString(item) && HOST_NAME.test(item)),
};

/** Checks only that the items are strings. `ClientAddressReader` parses them and reports an invalid address. */
export const SUBNET_LIST: Rule<readonly string[]> = {
  expected:
    "a list of addresses or subnets such as '10.0.0.0/8', or of 'loopback', 'linklocal', 'uniquelocal'",
  isValid: (value) => isListOf(value, isString),
};

export const URL_REFERENCE: Rule<string | URL> = {
  expected: 'a URL such as https://example.com/sockjs or /sockjs, or a file: URL',
  isValid: (value): value is string | URL =>
    value instanceof URL || (isString(value) && /^(https?:\/\/|file:|\.{0,2}\/)./i.test(value)),
};

const LOGGER_METHODS = ['info', 'warn', 'error'];

function hasMethod(value: object, name: string): boolean {
  return typeof Reflect.get(value, name) === 'function';
}

export const LOGGER: Rule<SockJSLogger | false> = {
  expected: 'an object with debug, info, warn and error, or false',
  isValid: (value): value is SockJSLogger | false => {
    if (value === false) return true;
    if (typeof value !== 'object' || value === null) return false;
    if (Reflect.get(value, 'debug') !== undefined && !hasMethod(value, 'debug')) return false;
    return LOGGER_METHODS.every((name) => hasMethod(value, name));
  },
};
