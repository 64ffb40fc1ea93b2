/**
 * Every setting of a router with its default, unit and reason, and the one place where they are
 * checked. The names of sockjs-tornado are kept; times are in milliseconds, sizes in bytes.
 */
import {
  BOOLEAN,
  BYTES,
  FUNCTION,
  MILLISECONDS,
  type Rule,
  URL_TEXT,
  describe,
  integer,
  isFunction,
  isListOf,
  isLogger,
  isOrigin,
  oneOf,
  orFunction,
} from './setting-rules.ts';
import type { ConnectionInfo } from './connection-info.ts';
import type { AllowedOrigins } from '../http/origin-guard.ts';
import type { Authorize } from '../http/authorize.ts';
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
export interface SockJSLogger {
  debug(line: string): void;
  info(line: string): void;
  warn(line: string): void;
  error(line: string): void;
}

/** A client that leaves too much waiting. */
export interface SlowConsumer {
  readonly info: ConnectionInfo;
  readonly transport: TransportName;
  /** What `authorize` answered. */
  readonly user: unknown;
  readonly bufferedBytes: number;
}

/** `close`: with code 1013. `drop-oldest`: what has waited longest is not sent at all. */
export type SlowConsumerPolicy = 'close' | 'drop-oldest';

/** Settings with every default filled in. */
export interface ResolvedSettings<User = unknown> {
  /** How exact the other delays are: how often deadlines are looked at, at most. 1 s. */
  readonly sessionCheckInterval: number;
  /** A WebSocket that is silent for so long after a heartbeat is cut off. 20 s. */
  readonly pingTimeout: number;
  /** How long a session survives without a receiving request. 5 s: a client polls again at once. */
  readonly disconnectDelay: number;
  /** A client that was sent nothing for this long is sent `h`. 25 s: proxies cut idle connections, often after 30 s. */
  readonly heartbeatDelay: number;
  /**
   * A streaming response whose client has sent nothing for so long is ended with its next frame, so that its
   * next request shows that it is still there. 2 min: a request is dear, and a dead client costs little.
   */
  readonly streamRenewalDelay: number;
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
  /**
   * A session is reachable only from the address that opened it (IPv6: from its /64). A function answers what
   * takes the place of the address, for example the value of a cookie. On.
   */
  readonly verifyIp: boolean | ((request: ConnectionInfo) => string);
  /** Who a client is, or a refusal. Nobody is asked by default. */
  readonly authorize: Authorize<User> | undefined;
  /** Pages of other origins that may connect. None: only pages of the same origin. */
  readonly allowedOrigins: AllowedOrigins;
  /**
   * Proxies whose `X-Forwarded-For`, `Forwarded` and `X-Forwarded-Host` are believed: addresses,
   * subnets such as `10.0.0.0/8`, or the names `loopback`, `linklocal` and `uniquelocal`. None.
   */
  readonly trustedProxies: readonly string[];
  /** `base_url` in the answer to `/info`: where the client goes instead, for example another host. */
  readonly baseUrl: string | undefined;
  /** The longest request body or WebSocket message from a client: 413, 1009. 2 MiB. */
  readonly maxMessageBytes: number;
  /** Messages in one request body or WebSocket message: 413, 1009. 10 000: sockjs-client gathers what it cannot send yet. */
  readonly maxMessagesPerBody: number;
  /** What one session may send on the average; for a second it may send as much at once. 10 000. */
  readonly maxMessagesPerSecond: number;
  /** For a client that is quicker. `wait`: it is read no further for a while. `close`: with 1008. `wait`. */
  readonly rateLimitPolicy: 'wait' | 'close';
  /** How long a request body may take to come in: 408. 30 s. */
  readonly bodyTimeout: number;
  /** How long the head of a request may take, on servers that `listen` makes; for others, see their own `headersTimeout`. 20 s. */
  readonly headersTimeout: number;
  /** Sessions at once; the next are answered 503. 100 000: some gigabyte. */
  readonly maxSessions: number;
  /** Sessions at once of one address (IPv6: of a /64): 503. 10 000: a large office behind one address. */
  readonly maxSessionsPerAddress: number;
  /** What may wait for one client that does not keep up. 4 MiB. */
  readonly maxBufferedBytes: number;
  /**
   * What may wait in the whole process: for clients that do not keep up, and in request bodies that are
   * still coming in. Beyond it `highWaterMark` is the limit of each client, and bodies are answered 503. 256 MiB.
   */
  readonly maxTotalBufferedBytes: number;
  /** What becomes of a client beyond its limit. `close`: 1013. */
  readonly slowConsumer: SlowConsumerPolicy | ((client: SlowConsumer) => SlowConsumerPolicy);
  /** A client that takes nothing of what waits for so long is cut off. 30 s. */
  readonly writeTimeout: number;
  /** `send()` answers false from this many waiting bytes on, and `onDrain` follows. 64 KiB. */
  readonly highWaterMark: number;
  /** Where log lines go; with `false` they go nowhere. Warnings and errors go to the console. */
  readonly logger: SockJSLogger | false;
}

/** What a user gives: as many of the settings as there is need for. */
export type SockJSSettings<User = unknown> = {
  readonly [Name in keyof ResolvedSettings<User>]?: ResolvedSettings<User>[Name] | undefined;
};

const RULES: { readonly [Name in keyof ResolvedSettings]: Rule } = {
  sessionCheckInterval: MILLISECONDS,
  disconnectDelay: MILLISECONDS,
  heartbeatDelay: MILLISECONDS,
  pingTimeout: MILLISECONDS,
  streamRenewalDelay: MILLISECONDS,
  disabledTransports: {
    expected: `a list of ${TRANSPORT_NAMES.join(', ')}`,
    isValid: (value) => isListOf(value, (item) => TRANSPORT_NAMES.some((name) => name === item)),
  },
  sockjsUrl: URL_TEXT,
  responseLimit: BYTES,
  jsessionid: BOOLEAN,
  immediateFlush: BOOLEAN,
  disableNagle: BOOLEAN,
  noKeepAlive: BOOLEAN,
  verifyIp: orFunction(BOOLEAN),
  authorize: FUNCTION,
  allowedOrigins: {
    expected:
      "'*', a list of origins such as 'https://app.example.com' or 'https://*.example.com' " +
      '(in ASCII, as browsers send them: other letters in punycode, "xn--…"), or a function',
    isValid: (value) => value === '*' || isFunction(value) || isListOf(value, isOrigin),
  },
  trustedProxies: {
    expected:
      "a list of addresses or subnets such as '10.0.0.0/8', or of 'loopback', 'linklocal', 'uniquelocal'",
    isValid: (value) => isListOf(value, (item) => typeof item === 'string'),
  },
  baseUrl: URL_TEXT,
  maxMessageBytes: BYTES,
  maxMessagesPerBody: integer('messages', 1, 100_000_000),
  maxMessagesPerSecond: {
    expected: 'a number of messages above 0, or Infinity',
    isValid: (value) => typeof value === 'number' && value > 0,
  },
  rateLimitPolicy: oneOf('wait', 'close'),
  bodyTimeout: MILLISECONDS,
  headersTimeout: MILLISECONDS,
  maxSessions: integer('sessions', 1, 100_000_000),
  maxSessionsPerAddress: integer('sessions', 1, 100_000_000),
  maxBufferedBytes: BYTES,
  maxTotalBufferedBytes: integer('bytes', 1, 1024 ** 4),
  slowConsumer: orFunction(oneOf('close', 'drop-oldest')),
  writeTimeout: MILLISECONDS,
  highWaterMark: BYTES,
  logger: { expected: 'an object with debug, info, warn and error, or false', isValid: isLogger },
};

function ignore(): void {}

/* oxlint-disable no-console -- the default logger is the one place that may write to the console */
const CONSOLE: SockJSLogger = {
  debug: ignore,
  info: ignore,
  warn: (line) => console.warn(line),
  error: (line) => console.error(line),
};
/* oxlint-enable no-console */

const DEFAULTS: ResolvedSettings = {
  sessionCheckInterval: 1000,
  disconnectDelay: 5000,
  heartbeatDelay: 25_000,
  pingTimeout: 20_000,
  streamRenewalDelay: 120_000,
  disabledTransports: [],
  sockjsUrl: undefined,
  responseLimit: 128 * 1024,
  jsessionid: true,
  immediateFlush: true,
  disableNagle: true,
  noKeepAlive: false,
  verifyIp: true,
  authorize: undefined,
  allowedOrigins: [],
  trustedProxies: [],
  baseUrl: undefined,
  maxMessageBytes: 2 * 1024 * 1024,
  maxMessagesPerBody: 10_000,
  maxMessagesPerSecond: 10_000,
  rateLimitPolicy: 'wait',
  bodyTimeout: 30_000,
  headersTimeout: 20_000,
  maxSessions: 100_000,
  maxSessionsPerAddress: 10_000,
  maxBufferedBytes: 4 * 1024 * 1024,
  maxTotalBufferedBytes: 256 * 1024 * 1024,
  slowConsumer: 'close',
  writeTimeout: 30_000,
  highWaterMark: 64 * 1024,
  logger: CONSOLE,
};

function isSettingName(name: string): name is keyof ResolvedSettings {
  return Object.hasOwn(RULES, name);
}

/**
 * Fills in the defaults. A setting that is undefined counts as not given.
 * @throws SockJSError `ERR_SETTING` for an unknown name or a value that the setting cannot take
 */
export function resolveSettings(input: SockJSSettings): ResolvedSettings {
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
    if (value !== undefined && !RULES[name].isValid(value)) {
      const { expected } = RULES[name];
      throw new SockJSError('ERR_SETTING', `${name} must be ${expected}, not ${describe(value)}.`);
    }
  }
  const given = Object.fromEntries(
    Object.entries(input).filter(([, value]) => value !== undefined),
  );
  const settings: ResolvedSettings = { ...DEFAULTS, ...given };
  const { highWaterMark, maxBufferedBytes } = settings;
  // Whoever is over the limit must have been told to wait.
  return Object.freeze({ ...settings, highWaterMark: Math.min(highWaterMark, maxBufferedBytes) });
}
