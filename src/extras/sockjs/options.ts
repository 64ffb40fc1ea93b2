/** Options of npm `sockjs`, and the settings of a router for them. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { SockJSSettings } from '../../api/settings.ts';
import { SETTING_DEFINITIONS } from '../../api/setting-definitions.ts';

/** A request with its cookies, which the option `jsessionid` gets. */
export interface RequestWithCookies extends IncomingMessage {
  readonly cookies: Readonly<Record<string, string | undefined>>;
}

/** Options of `createServer` and `installHandlers`. Times are in milliseconds. */
export interface ServerOptions {
  /** Regular expression, as text, for the first part of all paths. Default: ''. */
  prefix?: string | undefined;
  /** URL of the script of sockjs-client for the iframe page. Default: the newest version 1 on a public CDN. */
  sockjs_url?: string | undefined;
  /** Bytes after which a streaming response ends. 0 stands for the maximum, 1 GiB. Default: 131,072. */
  response_limit?: number | undefined;
  /** Whether clients may use WebSockets. Default: true. */
  websocket?: boolean | undefined;
  /** Options of `faye-websocket`: `extensions` turns on compression, `maxLength` limits a message. */
  faye_server_options?: FayeOptions | null | undefined;
  /** Sets the cookie `JSESSIONID`, or calls a function that sets another cookie. Default: false. */
  jsessionid?:
    | boolean
    | ((request: RequestWithCookies, response: ServerResponse) => unknown)
    | undefined;
  /** Logs a line with the severity `debug`, `info` or `error`. Default: `console.log`. */
  log?: ((severity: string, line: string) => unknown) | undefined;
  /** Default: 25,000. */
  heartbeat_delay?: number | undefined;
  /** Default: 5000. */
  disconnect_delay?: number | undefined;
  /** Leaves out CORS headers. Default: false. */
  disable_cors?: boolean | undefined;
  /** URL that `/info` returns as `base_url`. A function is called for each response. */
  base_url?: string | (() => string | undefined) | undefined;
  /** Settings of this package. They override the other options. */
  settings?: SockJSSettings | undefined;
}

/** Options of `faye-websocket`. */
export interface FayeOptions {
  extensions?: readonly unknown[] | undefined;
  maxLength?: number | undefined;
  [name: string]: unknown;
}

/** Options that are absent by default. */
type AbsentOption = 'base_url' | 'disable_cors' | 'settings';

export type CompleteOptions = Pick<ServerOptions, AbsentOption> & {
  readonly [Name in Exclude<keyof ServerOptions, AbsentOption>]-?: Exclude<
    ServerOptions[Name],
    undefined
  >;
};

const DEFAULTS: CompleteOptions = {
  prefix: '',
  response_limit: 128 * 1024,
  websocket: true,
  faye_server_options: null,
  jsessionid: false,
  heartbeat_delay: 25_000,
  disconnect_delay: 5000,
  // oxlint-disable-next-line no-console -- the default of npm `sockjs`
  log: (_severity, line) => console.log(line),
  sockjs_url: 'https://cdn.jsdelivr.net/npm/sockjs-client@1/dist/sockjs.min.js',
};

/** Adds the defaults to options. Later options replace earlier ones, and undefined ones are ignored. */
export function completeOptions(
  ...sources: readonly (ServerOptions | undefined)[]
): CompleteOptions {
  const complete = { ...DEFAULTS };
  for (const options of sources) {
    for (const [name, value] of Object.entries(options ?? {}))
      if (value !== undefined) Reflect.set(complete, name, value);
  }
  return complete;
}

const MAX_MS = 86_400_000;
const MAX_BYTES = 1024 ** 3;

/** Returns a number of an option as a whole number within the limits of a setting. */
function toInteger(value: unknown, maximum: number): number {
  const number = Math.ceil(Number(value));
  return Number.isNaN(number) ? 1 : Math.min(Math.max(number, 1), maximum);
}

/** A URL without a host or a slash at its beginning is relative to that of the iframe page. */
function scriptUrl(url: string): string {
  return /^(?:[a-z][a-z0-9+.-]*:|\.{0,2}\/)/i.test(url) ? url : `./${url}`;
}

function isDeflate(extension: unknown): boolean {
  return (
    typeof extension === 'object' &&
    extension !== null &&
    Reflect.get(extension, 'name') === 'permessage-deflate'
  );
}

function fayeSettings({ extensions = [], maxLength }: FayeOptions): SockJSSettings {
  return {
    ...(extensions.some(isDeflate) && { compression: {} }),
    ...(maxLength !== undefined && { maxMessageBytes: toInteger(maxLength, MAX_BYTES) }),
  };
}

/** Returns the members of `faye_server_options` that have no effect. */
export function unsupportedFayeOptions({
  faye_server_options: options,
}: ServerOptions): readonly string[] {
  const { extensions = [], maxLength: _supported, ...others } = options ?? {};
  const names = Object.keys(others);
  return extensions.every(isDeflate) ? names : ['extensions', ...names];
}

/** Returns the settings of a router for the options of a server. */
export function routerSettings(options: CompleteOptions): SockJSSettings {
  const { base_url: baseUrl, jsessionid, response_limit: limit, settings = {} } = options;
  const { maxSessions = SETTING_DEFINITIONS.maxSessions.defaultValue } = settings;
  return {
    allowedOrigins: '*',
    verifyIp: false,
    maxSessionsPerAddress: maxSessions,
    jsessionid: jsessionid === true,
    cookieNeeded: Boolean(jsessionid),
    corsHeaders: !options.disable_cors,
    heartbeatDelay: toInteger(options.heartbeat_delay, MAX_MS),
    disconnectDelay: toInteger(options.disconnect_delay, MAX_MS),
    responseLimit: limit === 0 ? MAX_BYTES : toInteger(limit, MAX_BYTES),
    sockjsUrl: scriptUrl(options.sockjs_url),
    disabledTransports: options.websocket ? [] : ['websocket', 'rawwebsocket'],
    ...(baseUrl && { baseUrl: typeof baseUrl === 'function' ? baseUrl : () => baseUrl }),
    ...fayeSettings(options.faye_server_options ?? {}),
    logger: {
      info: (line) => options.log('info', line),
      warn: (line) => options.log('error', line),
      error: (line) => options.log('error', line),
    },
    ...settings,
  };
}
