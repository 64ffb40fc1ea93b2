/** The greeting, and `/info`, which clients request before they connect. PROTOCOL.md, "URLs". */
import { getRandomValues } from 'node:crypto';
import { JSON_TYPE, PLAIN_TEXT } from '../http/headers.ts';
import type { Handler } from '../http/request-context.ts';

/** Settings of `/info`. */
export interface InfoSettings {
  readonly baseUrl: string | URL | undefined;
  readonly jsessionid: boolean;
  readonly disabledTransports: readonly string[];
  readonly cluster: object | undefined;
}

export const greeting: Handler = ({ exchange, headers, state }) => {
  if (exchange.header('sec-websocket-key') !== undefined) state.warnings.warn('plainWebSocket');
  headers.push('Content-Type', PLAIN_TEXT);
  exchange.respond(200, headers, 'Welcome to SockJS!\n');
};

/** Returns random bits for clients whose browser has no cryptographic source. */
function entropy(): number {
  return getRandomValues(new Uint32Array(1))[0] ?? 0;
}

export function info(settings: InfoSettings): Handler {
  const { baseUrl, jsessionid, disabledTransports, cluster } = settings;
  return (context) => {
    const { exchange, headers, state } = context;
    // The load balancer then sends requests to the other nodes. Without a cluster, they do not have the sessions.
    if (cluster !== undefined && state.sessions.isDraining) return context.refuse('draining');
    const body = {
      websocket: !disabledTransports.includes('websocket'),
      cookie_needed: jsessionid,
      origins: ['*:*'],
      entropy: entropy(),
      ...(baseUrl === undefined ? {} : { base_url: baseUrl }),
    };
    headers.push('Content-Type', JSON_TYPE);
    return exchange.respond(200, headers, JSON.stringify(body));
  };
}
