/** Serves one prefix for a server. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { parse as parseCookies } from 'cookie';
import { SockJSRouter, internalsOf } from '../../api/router.ts';
import { describeError } from '../../base/logging.ts';
import { ignoreRejection } from '../../base/thenable.ts';
import { SockJSHandler } from './handler.ts';
import { type CompleteOptions, routerSettings, unsupportedFayeOptions } from './options.ts';
import { Paths } from './paths.ts';
import type { SockJSConnection } from './transport.ts';

/** Version of npm `sockjs` whose behaviour this is. */
const VERSION = '0.3.24';

/** A path without the characters that are special in a regular expression. */
const PLAIN_PREFIX = /^(?:\/[\w~-]+)*$/;
/** Paths of messages from the client, whose responses follow the body. */
const SENDS = /\/(?:xhr|jsonp)_send$/;

/**
 * Handles a request of an HTTP server, or an upgrade with its socket and the first bytes.
 * @returns false if its URL is not below the prefix
 */
export type Handler = (
  request: IncomingMessage,
  response: ServerResponse | Duplex,
  head?: Buffer,
) => boolean;

function isResponse(response: ServerResponse | Duplex): response is ServerResponse {
  return 'writeHead' in response;
}

/** Returns whether a request gets the cookie of the option `jsessionid`. */
function needsCookie(path: string, method: string | undefined): boolean {
  return path.lastIndexOf('/') > 0
    ? !path.endsWith('/websocket')
    : path === '/info' && method === 'OPTIONS';
}

export class Listener {
  readonly options: CompleteOptions;
  readonly router: SockJSRouter<SockJSHandler>;
  readonly #paths: Paths;

  /** @param emitConnection emits `connection` on the server */
  constructor(options: CompleteOptions, emitConnection: (connection: SockJSConnection) => void) {
    const { prefix } = options;
    this.options = options;
    this.#paths = new Paths(prefix);
    this.router = new SockJSRouter(
      () => new SockJSHandler(prefix, emitConnection),
      PLAIN_PREFIX.test(prefix) ? prefix : '',
      routerSettings(options),
    );
    const { sessions } = internalsOf(this.router);
    sessions.onAttached = (session, exchange) => {
      sessions.applicationOf(session)?.attached(session, exchange);
    };
    this.#log('debug', `SockJS v${VERSION} bound to ${JSON.stringify(prefix)}`);
    const unsupported = unsupportedFayeOptions(options);
    if (unsupported.length > 0)
      this.#log('info', `Members of faye_server_options without effect: ${unsupported.join(', ')}`);
  }

  readonly handler: Handler = (request, response, head = Buffer.alloc(0)) => {
    const path = this.#paths.find(request.url ?? '');
    if (path === undefined) return false;
    const startedAt = Date.now();
    const target = { path: this.router.prefix + path };
    if (!isResponse(response)) {
      this.router.handleUpgrade(request, response, head, target);
    } else if (this.#setCookie(request, response, path)) {
      this.router.handle(request, response, target);
    }
    const log = (): void => this.#logRequest(request, response, startedAt);
    if (SENDS.test(path) && isResponse(response)) response.once('close', log);
    else log();
    return true;
  };

  getHandler(): Handler {
    return (request, response, head) => this.handler(request, response, head);
  }

  /** Calls the function `jsessionid`. Returns false if it throws: then it has responded itself, or the response is 500. */
  #setCookie(request: IncomingMessage, response: ServerResponse, path: string): boolean {
    const { jsessionid } = this.options;
    if (typeof jsessionid !== 'function' || !needsCookie(path, request.method)) return true;
    const cookies = parseCookies(request.headers.cookie ?? '', { decode: String });
    try {
      const result = jsessionid.call(this.options, Object.assign(request, { cookies }), response);
      ignoreRejection(result);
      return true;
    } catch (error) {
      this.#log('error', `The function jsessionid failed: ${describeError(error)}`);
      // The function may have responded before it has failed.
      if (!response.headersSent) response.writeHead(500);
      if (!response.writableEnded) response.end('500 - Internal Server Error');
      return false;
    }
  }

  #logRequest(
    { method, url }: IncomingMessage,
    response: ServerResponse | Duplex,
    startedAt: number,
  ): void {
    const isFinished = isResponse(response) && response.writableEnded;
    const status = isFinished ? response.statusCode : '(unfinished)';
    this.#log('info', `${method} ${url} ${Date.now() - startedAt}ms ${status}`);
  }

  #log(severity: string, line: string): void {
    try {
      ignoreRejection(this.options.log(severity, line));
    } catch {
      // A function that throws has no effect on clients.
    }
  }
}
