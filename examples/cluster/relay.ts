/** Which worker has the session of a request; and the request handed on to it as it comes, the answer back as it comes. */
import {
  Agent,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
  request as ask,
} from 'node:http';
import { pipeline } from 'node:stream';

const agent = new Agent({ keepAlive: true });
const SESSION = /^\/echo\/([^/.]+)\/[^/.]+\/[^/?]+(?:\?|$)/;
/** No more digits than a number can carry exactly. */
const NUMBER = /^\d{1,9}$/;
const LOOPBACK = /^(?:::ffff:)?127\.|^::1$/;
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto'];
/** These are about one connection, and here are two. */
const HOP_BY_HOP = ['connection', 'keep-alive', 'transfer-encoding'];

/**
 * sockjs-client draws `<server>` from 000 to 999; who calls it otherwise shares the first worker.
 * @returns the index of the worker; undefined where there is no session
 */
export function ownerOf(url: string, workers: number): number | undefined {
  const server = SESSION.exec(url)?.[1];
  if (server === undefined) return undefined;
  return NUMBER.test(server) ? Number(server) % workers : 0;
}

function without(headers: OutgoingHttpHeaders, names: readonly string[]): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));
}

/** So that the owner takes the client for whom this worker would: workers trust what is said on this machine. */
function headersFor({ headers, socket }: IncomingMessage): OutgoingHttpHeaders {
  const peer = socket.remoteAddress ?? '';
  const told = without(
    headers,
    LOOPBACK.test(peer) ? ['connection'] : ['connection', ...FORWARDED],
  );
  if (told['forwarded'] === undefined) told['x-forwarded-for'] ??= peer;
  return told;
}

/** @param port where the owner listens on this machine, if it does */
export function relay(
  request: IncomingMessage,
  response: ServerResponse,
  port: number | undefined,
): void {
  // Without a port Node would ask port 80, whoever listens there.
  if (port === undefined) {
    response.writeHead(503).end();
    return;
  }
  const { method, url: path } = request;
  const options = { agent, host: '127.0.0.1', port, method, path, headers: headersFor(request) };
  const relayed = ask(options, (answer) => {
    response.writeHead(answer.statusCode ?? 502, without(answer.headers, HOP_BY_HOP));
    // If one side breaks off, so does the other.
    pipeline(answer, response, () => {});
  });
  relayed.on('error', () => {
    // The owner is gone, or not back yet, and the session with it.
    if (response.headersSent) response.destroy();
    else response.writeHead(503).end();
  });
  response.on('close', () => {
    if (!response.writableFinished) relayed.destroy();
  });
  request.pipe(relayed);
}
