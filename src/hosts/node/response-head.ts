/** Writes the head of a response that other code may observe, or has added headers to. */
import { ServerResponse } from 'node:http';
import type { HeaderList } from '../../http/exchange.ts';

// oxlint-disable-next-line typescript/unbound-method -- only compared
const { writeHead: WRITE_HEAD } = ServerResponse.prototype;

/** Headers that are added to those of the application. All others replace them. */
const REPEATABLE_HEADERS = new Set(['set-cookie', 'vary']);

function setHeader(response: ServerResponse, name: string, value: string): void {
  try {
    if (REPEATABLE_HEADERS.has(name.toLowerCase())) response.appendHeader(name, value);
    else response.setHeader(name, value);
  } catch {
    // Other code has locked this header. Its value stays.
  }
}

/**
 * Writes the head of a response. A list of headers is fastest, but it would replace cookies of the application, and
 * wrappers of `writeHead`, such as those of `on-headers` 1.0, take only objects.
 */
export function writeHead(response: ServerResponse, status: number, headers: HeaderList): void {
  if (response.writeHead === WRITE_HEAD && response.getHeaderNames().length === 0) {
    response.writeHead(status, headers);
    return;
  }
  for (let index = 0; index + 1 < headers.length; index += 2) {
    setHeader(response, headers[index] ?? '', headers[index + 1] ?? '');
  }
  response.writeHead(status);
}

/** Returns whether other code wraps `write`, for example to compress or count what is written. */
export function isWriteWrapped(response: ServerResponse): boolean {
  return response.write !== ServerResponse.prototype.write;
}
