import type { Http2Session } from 'node:http2';
import { Socket } from 'node:net';
import type { IncomingMessage } from 'node:http';
import type { ServerHost } from '../../http/server-host.ts';
import { isHttp2Server } from '../explain-server.ts';
import { emitToTracer, tracingEmit } from '../node/node-internals.ts';
import { ServerAttachment, createServerHost } from '../node/server-attachment.ts';
import type { StreamRequest } from './http2-exchange.ts';
import { serveStream, serveUnknownStream } from './http2-host.ts';

/**
 * Shares a server of `node:http2` with the application. Streams below a router's prefix do not reach the application's
 * listeners. With `allowHTTP1`, the server also emits the events of `http.Server`.
 */
class Http2Attachment extends ServerAttachment {
  /** Connection on which a router was last used. */
  #lastSession: Http2Session | undefined;

  protected override interceptEmit(args: readonly unknown[]): unknown {
    const [event, first] = args;
    if (event === 'stream') return this.#onStream(args);
    if (event === 'timeout' && !(first instanceof Socket)) return this.emitToListeners(args);
    if (event === 'upgrade') this.#checkUpgrade(args);
    return super.interceptEmit(args);
  }

  #onStream(args: readonly unknown[]): unknown {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the arguments that Node documents for this event
    const [event, stream, headers, , rawHeaders] = args as [
      string,
      StreamRequest['stream'],
      StreamRequest['headers'],
      number,
      string[],
    ];
    const request: StreamRequest = { stream, headers, rawHeaders };
    const found = this.find(headers[':path']);
    if (found !== undefined) {
      this.#lastSession = stream.session;
      const serve = (): void => serveStream(found.router, request, found.target);
      const emit = tracingEmit(this.server);
      if (emit === undefined) serve();
      else emitToTracer(emit, this.server, event, args.slice(1), serve);
    } else if (!this.emitToListeners(args) && this.settings !== undefined) {
      serveUnknownStream(this.settings, request);
    }
    return true;
  }

  /** Warns if a page that uses HTTP/2 needs a second connection for its WebSocket. */
  #checkUpgrade(args: readonly unknown[]): void {
    const session = this.#lastSession;
    // Before the client has acknowledged the settings, Node returns the default ones.
    if (session === undefined || session.pendingSettingsAck) return;
    if (session.localSettings.enableConnectProtocol !== false) return;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the arguments that Node documents for this event
    const { url, headers } = args[1] as IncomingMessage;
    if (headers.origin !== undefined && this.find(url) !== undefined) this.warn('connectProtocol');
  }
}

export const HTTP2_SERVER_HOST: ServerHost = createServerHost(Http2Attachment, isHttp2Server);
