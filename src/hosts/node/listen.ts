/** Listening of the servers that a router creates. */
import { EventEmitter } from 'node:events';
import type { Server } from 'node:http';
import { describeValue } from '../../base/describe-value.ts';
import { SockJSError } from '../../base/errors.ts';

const MAX_PORT = 65_535;

/** Returns advice about a value that is not a port. */
function adviseOnPort(value: unknown): string {
  if (value === undefined || value === null) return '0 stands for any free port';
  if (typeof value === 'object') return 'Pass the port and the host as two arguments';
  const isPath = typeof value === 'string' && value.includes('/');
  return isPath
    ? 'For a UNIX socket, attach the router to a server of your own'
    : 'Pass a whole number';
}

/**
 * Returns a port as a number. Digits are accepted, as they come from the environment. `server.listen` would take any
 * other text for the path of a UNIX socket, and a missing port for any free one.
 * @throws SockJSError `ERR_ARGUMENT` if the value is not a port
 */
function parsePort(value: unknown): number {
  const isDigits = typeof value === 'string' && /^\d{1,5}$/.test(value);
  const port = isDigits ? Number(value) : value;
  if (typeof port === 'number' && Number.isInteger(port) && port >= 0 && port <= MAX_PORT)
    return port;
  throw new SockJSError(
    'ERR_ARGUMENT',
    `listen() takes a port from 0 to ${MAX_PORT}, not ${describeValue(value)}. ${adviseOnPort(value)}.`,
  );
}

/** Explanations of the errors of a port or a host, by code. */
const EXPLANATIONS: Readonly<Record<string, (port: number, host: string) => string>> = {
  EADDRINUSE: (port) =>
    `Port ${port} is in use by another program. Choose another port, or end that program.`,
  EACCES: (port) => `Port ${port} needs administrator rights. Choose a port from 1024 to 65535.`,
  EADDRNOTAVAIL: (_port, host) => `This machine does not have the address ${host}.`,
  ENOTFOUND: (_port, host) => `The host ${host} is unknown.`,
};

/** Returns the stack lines of the application, from the caller of a function on. */
function callersOf(entry: (...args: never[]) => unknown): string {
  const site = { stack: '' };
  Error.captureStackTrace(site, entry);
  return site.stack.split('\n').slice(1).join('\n');
}

/**
 * Starts to listen. Without a listener for 'error', the error that ends the process has the cause, the remedy and the
 * call in the application, and no stack of this library.
 * @param entry method that the application has called
 * @throws SockJSError `ERR_ARGUMENT` for an invalid port
 */
export function startListening(
  server: Server,
  portValue: unknown,
  host: string | undefined,
  entry: (...args: never[]) => unknown,
): Server {
  const port = parsePort(portValue);
  const callers = callersOf(entry);
  const onError = (error: NodeJS.ErrnoException): void => {
    if (server.listenerCount('error') > 0) return;
    const explain = EXPLANATIONS[error.code ?? ''];
    if (explain !== undefined) error.message = explain(port, host ?? '');
    error.stack = `Error: ${error.message}\n${callers}`;
    // Node throws the error. The stack of this call, which Node adds, is only its own.
    process.nextTick(EventEmitter.prototype.emit.bind(server, 'error', error));
  };
  server.once('error', onError);
  server.once('listening', () => server.off('error', onError));
  return server.listen(port, host);
}
