/** A small HTTP proxy with the faults that proxies in front of a server have. */
import {
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
  createServer,
  request,
} from 'node:http';
import type { Duplex } from 'node:stream';
import type { TestScope } from '../../testkit/scope.ts';
import { startServer } from '../../testkit/server.ts';

export interface HttpProxyOptions {
  /** Changes the headers of each request. */
  readonly headers?: (headers: IncomingHttpHeaders) => OutgoingHttpHeaders;
  /** Forwards a response only when it is complete. */
  readonly buffers?: boolean;
  /** Time after which it ends a response, in milliseconds. */
  readonly maxResponseTime?: number;
  /** Handles a WebSocket request as a plain request without the upgrade headers. */
  readonly dropsUpgrade?: boolean;
}

/**
 * Starts a proxy on 127.0.0.1 that ends with the test.
 * @param ports ports of the nodes, which get the requests in turn
 * @returns the port of the proxy
 */
export async function startHttpProxy(
  scope: TestScope,
  ports: readonly number[],
  options: HttpProxyOptions = {},
): Promise<number> {
  const { headers = (received) => received, buffers = false, dropsUpgrade = false } = options;
  const { maxResponseTime } = options;
  let next = 0;
  const forward = (incoming: IncomingMessage): ReturnType<typeof request> => {
    const port = ports[next % ports.length];
    next += 1;
    const { method, url } = incoming;
    const received = { ...incoming.headers };
    if (dropsUpgrade) {
      delete received.upgrade;
      delete received.connection;
    }
    return request({ host: '127.0.0.1', port, method, path: url, headers: headers(received) });
  };
  const onRequest = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const forwarded = forward(incoming);
    forwarded.on('response', (response) => {
      outgoing.writeHead(response.statusCode ?? 502, response.headers);
      if (!buffers) {
        response.pipe(outgoing);
        return;
      }
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => outgoing.end(Buffer.concat(chunks)));
    });
    if (maxResponseTime !== undefined) setTimeout(() => outgoing.end(), maxResponseTime);
    forwarded.on('error', () => outgoing.destroy());
    outgoing.on('close', () => forwarded.destroy());
    incoming.pipe(forwarded);
  };
  const server = createServer(onRequest);
  if (!dropsUpgrade) {
    server.on('upgrade', (incoming: IncomingMessage, client: Duplex) => {
      const forwarded = forward(incoming);
      forwarded.on('upgrade', (response, upstream, head) => {
        const lines = response.rawHeaders.flatMap((name, index, all) =>
          index % 2 === 0 ? [`${name}: ${all[index + 1]}`] : [],
        );
        client.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`);
        client.write(head);
        for (const [from, to] of [
          [client, upstream],
          [upstream, client],
        ] as const) {
          from.pipe(to);
          from.on('error', () => to.destroy());
        }
      });
      forwarded.on('response', () => client.destroy());
      forwarded.on('error', () => client.destroy());
      forwarded.end();
    });
  }
  return startServer(scope, server);
}
