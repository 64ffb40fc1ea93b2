/** The greeting, and `/info`, which clients request before they connect. PROTOCOL.md, "URLs". */
import { getRandomValues } from 'node:crypto';
import { ApplicationError } from '../base/application-error.ts';
import { JSON_TYPE, PLAIN_TEXT } from '../http/headers.ts';
import type { Handler } from '../http/request-context.ts';

/** Returns the base URL for one response of `/info`. */
export type BaseUrl = () => string | URL | undefined;

/** Settings of `/info`. */
export interface InfoSettings {
  readonly baseUrl: string | URL | BaseUrl | undefined;
  readonly cookieNeeded: boolean | undefined;
  readonly corsHeaders: boolean;
  readonly jsessionid: boolean;
  readonly disabledTransports: readonly string[];
  readonly cluster: object | undefined;
}

export const greeting: Handler = (context) => {
  const { exchange, headers, state } = context;
  if (state.isClosed) return context.refuse('draining');
  if (exchange.header('sec-websocket-key') !== undefined) state.warnings.warn('plainWebSocket');
  headers.push('Content-Type', PLAIN_TEXT);
  return exchange.respond(200, headers, 'Welcome to SockJS!\n');
};

/** Returns random bits for clients whose browser has no cryptographic source. */
function entropy(): number {
  return getRandomValues(new Uint32Array(1))[0] ?? 0;
}

function callBaseUrl(baseUrl: BaseUrl): unknown {
  try {
    return baseUrl();
  } catch (error) {
    throw new ApplicationError('baseUrl', error);
  }
}

export function info(settings: InfoSettings): Handler {
  const { baseUrl, corsHeaders, jsessionid, disabledTransports, cluster } = settings;
  const { cookieNeeded = jsessionid } = settings;
  return (context) => {
    const { exchange, headers, state } = context;
    // The load balancer then sends requests to the other nodes. Without a cluster, they do not have the open sessions.
    const { isDraining, size } = state.sessions;
    if (isDraining && (cluster !== undefined || size === 0)) return context.refuse('draining');
    const body = {
      websocket: !disabledTransports.includes('websocket'),
      cookie_needed: cookieNeeded,
      origins: corsHeaders ? ['*:*'] : undefined,
      entropy: entropy(),
      base_url: typeof baseUrl === 'function' ? callBaseUrl(baseUrl) : baseUrl,
    };
    headers.push('Content-Type', JSON_TYPE);
    return exchange.respond(200, headers, JSON.stringify(body));
  };
}
