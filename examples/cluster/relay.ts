/** Finds the worker that owns the session of a request, and relays the request and its response as streams. */
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
/** At most as many digits as a number represents exactly. */
const NUMBER = /^\d{1,9}$/;
const LOOPBACK = /^(?:::ffff:)?127\.|^::1$/;
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto'];
/** Headers of one connection, which a relay must not pass on. */
const HOP_BY_HOP = ['connection', 'keep-alive', 'transfer-encoding'];

/**
 * sockjs-client chooses `<server>` at random from 000 to 999. Any other value leads to the first worker.
 * @returns the index of the worker, or undefined for a request without a session
 */
export function ownerOf(url: string, workers: number): number | undefined {
  const server = SESSION.exec(url)?.[1];
  if (server === undefined) return undefined;
  return NUMBER.test(server) ? Number(server) % workers : 0;
}

function without(headers: OutgoingHttpHeaders, names: readonly string[]): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));
}

/** Adds the client's address as this worker sees it. Workers trust forwarding headers from this machine. */
function headersFor({ headers, socket }: IncomingMessage): OutgoingHttpHeaders {
  const peer = socket.remoteAddress ?? '';
  const told = without(
    headers,
    LOOPBACK.test(peer) ? ['connection'] : ['connection', ...FORWARDED],
  );
  if (told['forwarded'] === undefined) told['x-forwarded-for'] ??= peer;
  return told;
}

/** @param port of the owner on this machine, or undefined if it does not listen */
export function relay(
  request: IncomingMessage,
  response: ServerResponse,
  port: number | undefined,
): void {
  // Without a port, Node would connect to port 80.
  if (port === undefined) {
    response.writeHead(503).end();
    return;
  }
  const { method, url: path } = request;
  const options = { agent, host: '127.0.0.1', port, method, path, headers: headersFor(request) };
  const relayed = ask(options, (answer) => {
    response.writeHead(answer.statusCode ?? 502, without(answer.headers, HOP_BY_HOP));
    // If one side is aborted, so is the other.
    pipeline(answer, response, () => {});
  });
  relayed.on('error', () => {
    // The owner has ended, and its sessions with it.
    if (response.headersSent) response.destroy();
    else response.writeHead(503).end();
  });
  response.on('close', () => {
    if (!response.writableFinished) relayed.destroy();
  });
  request.pipe(relayed);
}
