/** Relays a request to the worker that owns its session, and streams the response back. */
import {
  Agent,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
  request as sendRequest,
} from 'node:http';
import { pipeline } from 'node:stream';

const agent = new Agent({ keepAlive: true });
const SESSION = /^\/echo\/([^/.]+)\/[^/.]+\/[^/?]+(?:\?|$)/;
/** Digits of a number that is exact. */
const NUMBER = /^\d{1,9}$/;
const LOOPBACK = /^(?:::ffff:)?127\.|^::1$/;
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto'];
/** Headers of a single connection. The relay has two. */
const HOP_BY_HOP = ['connection', 'keep-alive', 'transfer-encoding'];

/**
 * sockjs-client chooses a `<server>` from 000 to 999. Other values share the first worker.
 * @returns the index of the worker; undefined for a request without a session
 */
export function ownerOf(url: string, workers: number): number | undefined {
  const server = SESSION.exec(url)?.[1];
  if (server === undefined) return undefined;
  return NUMBER.test(server) ? Number(server) % workers : 0;
}

function without(headers: OutgoingHttpHeaders, names: readonly string[]): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));
}

/** Forwards the client's address as this worker sees it. Workers trust the headers of this machine. */
function headersFor({ headers, socket }: IncomingMessage): OutgoingHttpHeaders {
  const peer = socket.remoteAddress ?? '';
  const relayed = without(
    headers,
    LOOPBACK.test(peer) ? ['connection'] : ['connection', ...FORWARDED],
  );
  if (relayed['forwarded'] === undefined) relayed['x-forwarded-for'] ??= peer;
  return relayed;
}

/** @param port of the owner on this machine; undefined if there is no owner */
export function relay(
  request: IncomingMessage,
  response: ServerResponse,
  port: number | undefined,
): void {
  // Without a port Node would connect to port 80.
  if (port === undefined) {
    response.writeHead(503).end();
    return;
  }
  const { method, url: path } = request;
  const options = { agent, host: '127.0.0.1', port, method, path, headers: headersFor(request) };
  const relayed = sendRequest(options, (relayedResponse) => {
    response.writeHead(
      relayedResponse.statusCode ?? 502,
      without(relayedResponse.headers, HOP_BY_HOP),
    );
    // If one side breaks off, the other side has to end too.
    pipeline(relayedResponse, response, () => {});
  });
  relayed.on('error', () => {
    // The owner has ended and lost the session, or has not restarted.
    if (response.headersSent) response.destroy();
    else response.writeHead(503).end();
  });
  response.on('close', () => {
    if (!response.writableFinished) relayed.destroy();
  });
  request.pipe(relayed);
}
