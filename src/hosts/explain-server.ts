/** Explains why a router cannot be attached to a value, and names the value to pass instead. */
import { Server } from 'node:http';
import type { Http2SecureServer, Http2Server } from 'node:http2';
import { Server as SecureServer } from 'node:https';
import { Server as TcpServer } from 'node:net';
import { isThenable } from '../base/thenable.ts';

export function isHttpServer(value: unknown): value is Server {
  return value instanceof Server || value instanceof SecureServer;
}

/** Properties under which frameworks keep their server: Fastify, socket.io and Vite, hapi, `ws`. */
const SERVER_PROPERTIES = ['server', 'httpServer', 'listener'];

function read(value: object, name: string): unknown {
  try {
    return Reflect.get(value, name);
  } catch {
    return undefined; // A getter that throws.
  }
}

function hasMethods(value: object, ...names: readonly string[]): boolean {
  return names.every((name) => typeof read(value, name) === 'function');
}

/** Node exports no class of these servers, and only they have this method. */
export function isHttp2Server(value: unknown): value is Http2Server | Http2SecureServer {
  return value instanceof TcpServer && hasMethods(value, 'updateSettings');
}

function describe(value: unknown): string {
  if (typeof value === 'string') return 'a string';
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return String(value);
  const name: unknown = read(read(value, 'constructor') ?? value, 'name');
  return typeof name === 'string' && name !== '' ? `an instance of ${name}` : 'an object';
}

function adviceForObject(value: object): string | undefined {
  if (isThenable(value)) return 'Await the promise first.';
  const property = SERVER_PROPERTIES.find((name) => {
    const server = read(value, name);
    return isHttpServer(server) || isHttp2Server(server);
  });
  if (property !== undefined) return `Pass its server: router.attach(app.${property}).`;
  if (hasMethods(value, 'getHttpServer'))
    return 'Pass its server: router.attach(app.getHttpServer()).';
  if (hasMethods(value, 'callback', 'use'))
    return 'An application is not a server. Use router.attach(createServer(app.callback())).';
  if (hasMethods(value, 'handleUpgrade', 'attach'))
    return 'Routers do not nest. Attach each of them to the server.';
  if (hasMethods(value, 'send', 'kill'))
    return 'It is a process. Call attach() in the worker, with the server that the worker creates.';
  return undefined;
}

/** Returns the message of the error for a value that is not a server which a host accepts. */
export function explainServer(value: unknown): string {
  const refusal = `attach() takes a server of node:http, node:https or node:http2, not ${describe(value)}.`;
  let advice: string | undefined;
  if (value instanceof TcpServer)
    advice =
      'It does not parse HTTP. Create the server with createServer() of node:http or node:https.';
  else if (typeof value === 'function') {
    advice =
      'An application is not a server. Create one: const server = createServer(app); router.attach(server). ' +
      'Then call server.listen() instead of app.listen().';
  } else if (typeof value === 'object' && value !== null) advice = adviceForObject(value);
  else if (typeof value === 'string' || typeof value === 'number')
    advice = 'To listen on a port, call router.listen(port).';
  else if (value === undefined) advice = 'Create the server before the router is attached to it.';
  return advice === undefined ? refusal : `${refusal} ${advice}`;
}
