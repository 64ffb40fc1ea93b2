/**
 * Every setting of a router with its default, unit and reason, and the one place where they are
 * checked. The names of sockjs-tornado are kept; times are in milliseconds, sizes in bytes.
 */
import { inspect } from 'node:util';
import { SockJSError } from './errors.ts';

/** The last part of a session URL; `rawwebsocket` is `<prefix>/websocket`, without SockJS framing. */
export type TransportName =
  | 'websocket'
  | 'rawwebsocket'
  | 'xhr'
  | 'xhr_streaming'
  | 'eventsource'
  | 'htmlfile'
  | 'jsonp';

const TRANSPORT_NAMES: readonly TransportName[] = [
  'websocket',
  'rawwebsocket',
  'xhr',
  'xhr_streaming',
  'eventsource',
  'htmlfile',
  'jsonp',
];

/** Where log lines go. `console` fits, and so does pino. */
export interface Logger {
  debug(line: string): void;
  info(line: string): void;
  warn(line: string): void;
  error(line: string): void;
}

/**
 * Which pages may connect besides those of the same origin: `'*'` for all, a list of origins such as
 * `https://app.example.com` or, for every subdomain, `https://*.example.com`, or a function that is
 * given the origin and answers, possibly later.
 */
export type AllowedOrigins =
  | '*'
  | readonly string[]
  | ((origin: string) => boolean | Promise<boolean>);

/** Settings with every default filled in. */
export interface Settings {
  /** How exact the other delays are: how often deadlines are looked at, at most. 1 s. */
  readonly sessionCheckInterval: number;
  /** How long a session survives without a receiving request. 5 s: a client polls again at once. */
  readonly disconnectDelay: number;
  /** A client that was sent nothing for this long is sent `h`. 25 s: proxies cut idle connections, often after 30 s. */
  readonly heartbeatDelay: number;
  /** Transports that answer 404. None. */
  readonly disabledTransports: readonly TransportName[];
  /**
   * Where the iframe page loads sockjs-client from: a URL that browsers can reach, or a `file:` URL,
   * which the router then serves itself. By default the router serves the file of the `sockjs-client`
   * package that the application has installed.
   */
  readonly sockjsUrl: string | URL | undefined;
  /** A streaming response ends after this many bytes, so that the browser can free them. 128 KiB. */
  readonly responseLimit: number;
  /** Sets a JSESSIONID cookie, which load balancers use to keep a client on its node. On. */
  readonly jsessionid: boolean;
  /** On: messages leave as soon as the running callback returns. Off: once per turn of the event loop. On. */
  readonly immediateFlush: boolean;
  /** Switches off Nagle's algorithm, which holds back small writes. On. */
  readonly disableNagle: boolean;
  /** Closes the connection after every answer, for old proxies that mishandle those that stay. Off. */
  readonly noKeepAlive: boolean;
  /** A session is reachable only from the address that opened it (IPv6: from its /64). On. */
  readonly verifyIp: boolean;
  /** Pages of other origins that may connect. None: only pages of the same origin. */
  readonly allowedOrigins: AllowedOrigins;
  /**
   * Proxies whose `X-Forwarded-For`, `Forwarded` and `X-Forwarded-Host` are believed: addresses,
   * subnets such as `10.0.0.0/8`, or the names `loopback`, `linklocal` and `uniquelocal`. None.
   */
  readonly trustedProxies: readonly string[];
  /** `base_url` in the answer to `/info`: where the client goes instead, for example another host. */
  readonly baseUrl: string | undefined;
  /** The longest request body or WebSocket message from a client. 2 MiB. */
  readonly maxMessageBytes: number;
  /** What may wait for a client that does not keep up; beyond it the session is closed. 4 MiB. */
  readonly maxBufferedBytes: number;
  /** `send()` answers false from this many waiting bytes on, and `onDrain` follows. 64 KiB. */
  readonly highWaterMark: number;
  /** Where log lines go; `false` for nowhere. Warnings and errors go to the console. */
  readonly logger: Logger | false;
}

/** What a user gives: any subset of the settings. */
export type SettingsInput = { readonly [Name in keyof Settings]?: Settings[Name] | undefined };

type Rule = { readonly right: string; readonly holds: (value: unknown) => boolean };

const DAY = 86_400_000;
const GIBIBYTE = 1024 ** 3;

function integer(unit: string, least: number, most: number): Rule {
  return {
    right: `a whole number of ${unit} from ${least} to ${most}`,
    holds: (value) => Number.isInteger(value) && Number(value) >= least && Number(value) <= most,
  };
}

const MILLISECONDS = integer('milliseconds', 1, DAY);
const BYTES = integer('bytes', 1, GIBIBYTE);
const BOOLEAN: Rule = { right: 'true or false', holds: (value) => typeof value === 'boolean' };

function isListOf(value: unknown, holds: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(holds);
}

// scheme://host[:port] and nothing after it; the first label of the host may be `*`.
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/(\*\.)?[^\s/*?#@]+$/i;

function isOrigin(value: unknown): boolean {
  return value === 'null' || (typeof value === 'string' && ORIGIN.test(value));
}

function isUrl(value: unknown): boolean {
  return (
    value instanceof URL || (typeof value === 'string' && /^(https?:\/\/|file:|\/)./i.test(value))
  );
}

function isLogger(value: unknown): boolean {
  if (value === false) return true;
  if (typeof value !== 'object' || value === null) return false;
  const methods = new Map<string, unknown>(
    ['debug', 'info', 'warn', 'error'].map((name) => [name, Reflect.get(value, name)]),
  );
  return [...methods.values()].every((method) => typeof method === 'function');
}

const RULES: { readonly [Name in keyof Settings]: Rule } = {
  sessionCheckInterval: MILLISECONDS,
  disconnectDelay: MILLISECONDS,
  heartbeatDelay: MILLISECONDS,
  disabledTransports: {
    right: `a list of ${TRANSPORT_NAMES.join(', ')}`,
    holds: (value) => isListOf(value, (item) => TRANSPORT_NAMES.some((name) => name === item)),
  },
  sockjsUrl: {
    right: 'a URL such as https://example.com/sockjs.min.js or /sockjs.min.js, or a file: URL',
    holds: isUrl,
  },
  responseLimit: BYTES,
  jsessionid: BOOLEAN,
  immediateFlush: BOOLEAN,
  disableNagle: BOOLEAN,
  noKeepAlive: BOOLEAN,
  verifyIp: BOOLEAN,
  allowedOrigins: {
    right:
      "'*', a list of origins such as 'https://app.example.com' or 'https://*.example.com', or a function",
    holds: (value) => value === '*' || typeof value === 'function' || isListOf(value, isOrigin),
  },
  trustedProxies: {
    right:
      "a list of addresses or subnets such as '10.0.0.0/8', or of 'loopback', 'linklocal', 'uniquelocal'",
    holds: (value) => isListOf(value, (item) => typeof item === 'string'),
  },
  baseUrl: { right: 'a URL', holds: isUrl },
  maxMessageBytes: BYTES,
  maxBufferedBytes: BYTES,
  highWaterMark: BYTES,
  logger: { right: 'an object with debug, info, warn and error, or false', holds: isLogger },
};

function ignore(): void {}

/* oxlint-disable no-console -- the default logger is the one place that may write to the console */
const CONSOLE: Logger = {
  debug: ignore,
  info: ignore,
  warn: (line) => console.warn(line),
  error: (line) => console.error(line),
};
/* oxlint-enable no-console */

const DEFAULTS: Settings = {
  sessionCheckInterval: 1000,
  disconnectDelay: 5000,
  heartbeatDelay: 25_000,
  disabledTransports: [],
  sockjsUrl: undefined,
  responseLimit: 128 * 1024,
  jsessionid: true,
  immediateFlush: true,
  disableNagle: true,
  noKeepAlive: false,
  verifyIp: true,
  allowedOrigins: [],
  trustedProxies: [],
  baseUrl: undefined,
  maxMessageBytes: 2 * 1024 * 1024,
  maxBufferedBytes: 4 * 1024 * 1024,
  highWaterMark: 64 * 1024,
  logger: CONSOLE,
};

function isSettingName(name: string): name is keyof Settings {
  return Object.hasOwn(RULES, name);
}

function describe(value: unknown): string {
  return typeof value === 'function'
    ? 'a function'
    : inspect(value, { depth: 1, breakLength: Infinity });
}

/**
 * Fills in the defaults. A setting that is undefined counts as not given.
 * @throws SockJSError `ERR_SETTING` for an unknown name or a value that the setting cannot take
 */
export function resolveSettings(input: SettingsInput): Settings {
  if (typeof input !== 'object' || input === null) {
    throw new SockJSError('ERR_SETTING', `The settings must be an object, not ${describe(input)}.`);
  }
  for (const [name, value] of Object.entries(input)) {
    if (!isSettingName(name)) {
      const known = Object.keys(RULES).join(', ');
      throw new SockJSError(
        'ERR_SETTING',
        `There is no setting '${name}'; the settings are ${known}.`,
      );
    }
    if (value !== undefined && !RULES[name].holds(value)) {
      const { right } = RULES[name];
      throw new SockJSError('ERR_SETTING', `${name} must be ${right}, not ${describe(value)}.`);
    }
  }
  const given = Object.fromEntries(
    Object.entries(input).filter(([, value]) => value !== undefined),
  );
  return Object.freeze({ ...DEFAULTS, ...given });
}
