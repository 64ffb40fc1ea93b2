import { BOOLEAN } from '../../base/setting-rules.ts';
import type { OptionRules } from '../../base/option-check.ts';
import { TRANSPORT_NAMES, type TransportName } from '../../base/transport-name.ts';
import type { RequestOrigin } from './memory-exchange.ts';

/** Default time limit of `next`, in milliseconds. */
export const NEXT_TIMEOUT_MS = 2000;

/** Options of `openClient`. */
export interface ClientOptions {
  /** Query of the request: text without `?`, or names and values. */
  readonly query?: string | Readonly<Record<string, string>>;
  /** Headers of all requests, such as `cookie`, `origin` and `authorization`. Default of `host`: `localhost`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Address of the client. Default: `127.0.0.1`. */
  readonly ip?: string;
  /** Whether the client's connection is encrypted. Default: false. */
  readonly secure?: boolean;
  /** Name of the transport. Default: `websocket`. */
  readonly transport?: TransportName;
  /** Time limit of `next`, in milliseconds of real time. Default: 2000. */
  readonly timeout?: number;
}

function isTexts(value: unknown): value is Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null || Symbol.iterator in value) return false;
  return Object.values(value).every((text) => typeof text === 'string');
}

export const CLIENT_RULES = {
  query: {
    expected: "a text such as 'room=1', or an object of strings",
    isValid: (value): value is unknown =>
      isTexts(value) || (typeof value === 'string' && !/[?#\s]/.test(value)),
  },
  headers: {
    expected: 'an object of strings',
    isValid: (value): value is unknown => isTexts(value),
  },
  ip: {
    expected: 'an address as text',
    isValid: (value): value is unknown => typeof value === 'string',
  },
  secure: BOOLEAN,
  transport: {
    expected: `one of ${TRANSPORT_NAMES.join(', ')}`,
    isValid: (value): value is unknown => TRANSPORT_NAMES.some((name) => name === value),
  },
  timeout: {
    expected: 'a number of milliseconds above 0',
    isValid: (value): value is unknown => typeof value === 'number' && value > 0,
  },
} satisfies OptionRules;

/** Returns the client as the server sees it. */
export function originOf({
  headers = {},
  ip = '127.0.0.1',
  secure = false,
}: ClientOptions): RequestOrigin {
  const hasHost = Object.keys(headers).some((name) => name.toLowerCase() === 'host');
  const all = [...(hasHost ? [] : [['Host', 'localhost']]), ...Object.entries(headers)];
  return { remoteAddress: ip, encrypted: secure, rawHeaders: all.flat() };
}

export function queryOf({ query = '' }: ClientOptions): string {
  return typeof query === 'string' ? query : new URLSearchParams(query).toString();
}
