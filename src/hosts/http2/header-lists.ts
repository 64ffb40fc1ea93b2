/** Headers of HTTP/2 as the layers above the host expect them. */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import type { HeaderList } from '../../http/exchange.ts';

/** RFC 9113, section 8.2.2. */
const CONNECTION_HEADERS = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);

function isPseudo(name: string): boolean {
  return name.startsWith(':');
}

/** Returns the host that the client addressed. `:authority` is preferred: RFC 9113, section 8.3.1. */
export function hostOf(headers: IncomingHttpHeaders): string | undefined {
  return headers[':authority'] ?? headers.host;
}

/** Returns the value of a header. Values of a repeated header are joined. @param name in lower case */
export function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  if (name === 'host') return hostOf(headers);
  const value = isPseudo(name) ? undefined : headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/**
 * Returns the headers of a request as those of HTTP/1.1: with `Host` and one `Cookie`, which clients may split, and
 * without pseudo-headers. `:path` has the session id, which is secret.
 * @param raw alternating names and values, as received
 */
export function requestHeaderList(
  raw: readonly string[],
  headers: IncomingHttpHeaders,
): readonly string[] {
  const host = hostOf(headers);
  const list = host === undefined ? [] : ['host', host];
  let hasCookie = false;
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? '';
    if (isPseudo(name) || name === 'host') continue;
    if (name !== 'cookie') list.push(name, raw[index + 1] ?? '');
    else if (!hasCookie) {
      hasCookie = true;
      list.push(name, headers.cookie ?? '');
    }
  }
  return list;
}

/** Returns the head of a response, without the headers that HTTP/2 forbids. */
export function responseHeaders(status: number, list: HeaderList): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = { ':status': status };
  for (let index = 0; index + 1 < list.length; index += 2) {
    const name = list[index]?.toLowerCase() ?? '';
    const value = list[index + 1] ?? '';
    if (CONNECTION_HEADERS.has(name)) continue;
    // The prototype has names such as `constructor`.
    const previous = Object.hasOwn(headers, name) ? headers[name] : undefined;
    if (previous === undefined) headers[name] = value;
    else if (name === 'set-cookie') headers[name] = [previous, value].flat().map(String);
    else headers[name] = `${String(previous)}, ${value}`;
  }
  return headers;
}
