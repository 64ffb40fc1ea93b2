/** A load balancer without affinity: each request and each upgrade goes to the next node. */
import { type IncomingMessage, type Server, createServer, request as sendRequest } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TestScope } from './scope.ts';
import { listen, stop } from './server.ts';

function rawHead({ method, url, rawHeaders }: IncomingMessage): string {
  const lines = [`${method} ${url} HTTP/1.1`];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2)
    lines.push(`${rawHeaders[index]}: ${rawHeaders[index + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function destroyBoth(one: Duplex, other: Duplex): void {
  one.on('close', () => other.destroy());
  one.on('error', () => other.destroy());
}

/** Starts the load balancer. It is stopped at the end of the test. @returns its port */
export async function startRoundRobin(scope: TestScope, ports: readonly number[]): Promise<number> {
  let requests = 0;
  const nextPort = (): number | undefined => {
    requests += 1;
    return ports[requests % ports.length];
  };
  const server: Server = createServer((request, response) => {
    const { method, url: path, rawHeaders: headers } = request;
    const upstream = sendRequest({ host: '127.0.0.1', port: nextPort(), method, path, headers });
    upstream.on('response', (received) => {
      response.writeHead(received.statusCode ?? 0, received.rawHeaders);
      response.flushHeaders();
      received.pipe(response);
      received.on('error', () => response.destroy());
    });
    upstream.on('error', () => response.destroy());
    response.on('close', () => upstream.destroy());
    request.pipe(upstream);
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const upstream = connect(nextPort() ?? 0, '127.0.0.1');
    upstream.write(rawHead(request));
    upstream.write(head);
    socket.pipe(upstream).pipe(socket);
    destroyBoth(socket, upstream);
    destroyBoth(upstream, socket);
  });
  const port = await listen(server);
  scope.after(async () => {
    server.closeAllConnections();
    await stop(server);
  });
  return port;
}
