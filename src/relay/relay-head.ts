/** Heads of relayed requests and of their responses, as lines. No part of a head contains the end of a line. */
import type { ClientAddress } from '../http/client-address.ts';
import type { Exchange, HeaderList } from '../http/exchange.ts';

const SEPARATOR = '\n';

/**
 * `brief`: the owner sends what is queued or a heartbeat, and ends the response. `release`: it does so with the response
 * that it has begun for the session, and the request itself gets an empty response.
 */
export type RelayMode = 'brief' | 'release';

/** A request as its owner sees it. */
export interface RequestHead {
  readonly method: string;
  /** Path with the prefix, and query. */
  readonly url: string;
  readonly mode: RelayMode | undefined;
  readonly client: ClientAddress;
  readonly bodyLength: number;
  readonly rawHeaders: readonly string[];
}

export interface ResponseHead {
  readonly status: number;
  readonly headers: HeaderList;
}

/**
 * Headers that belong to one connection. All others stay, those of proxies included, so that `verifyIp` returns the
 * same on every node.
 */
const DROPPED_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Prefix of the headers between nodes, which no client may send. */
const RELAY_PREFIX = 'sockjs-relay';

/** Returns the lines of the headers that are relayed. */
function relayedLines(rawHeaders: readonly string[]): string {
  let lines = '';
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const lower = name.toLowerCase();
    if (DROPPED_HEADERS.has(lower) || lower.startsWith(RELAY_PREFIX)) continue;
    lines += SEPARATOR + name + SEPARATOR + (rawHeaders[index + 1] ?? '');
  }
  return lines;
}

function formatClient({ address, host, secure }: ClientAddress): string {
  const client = `${secure ? 'https' : 'http'} ${address}`;
  return host === undefined ? client : `${client} ${host}`;
}

/** Reads the value of `formatClient`. A host may contain spaces. */
function parseClient(value: string): ClientAddress {
  const [scheme = '', address = '', ...host] = value.split(' ');
  return {
    address,
    host: host.length === 0 ? undefined : host.join(' '),
    secure: scheme === 'https',
  };
}

function parseMode(value: string): RelayMode | undefined {
  return value === 'brief' || value === 'release' ? value : undefined;
}

/** @param url path with the prefix, and query */
export function formatRequest(
  { method, rawHeaders }: Exchange,
  url: string,
  client: ClientAddress,
  { mode = '', bodyLength = 0 }: { readonly mode?: RelayMode | ''; readonly bodyLength?: number },
): string {
  const lines = [method, url, mode, formatClient(client), String(bodyLength)];
  return lines.join(SEPARATOR) + relayedLines(rawHeaders);
}

export function parseRequest(head: string): RequestHead {
  const [method = '', url = '', mode = '', client = '', length = '', ...rawHeaders] =
    head.split(SEPARATOR);
  return {
    method,
    url,
    mode: parseMode(mode),
    client: parseClient(client),
    bodyLength: Number(length),
    rawHeaders,
  };
}

export function formatResponse(status: number, headers: HeaderList): string {
  return [String(status), ...headers].join(SEPARATOR);
}

export function parseResponse(head: string): ResponseHead {
  const [status = '', ...headers] = head.split(SEPARATOR);
  return { status: Number(status), headers };
}
