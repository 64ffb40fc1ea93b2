/** Sending requests of the HTTP transports: `xhr_send` and `jsonp_send`. PROTOCOL.md, "Messages from the client". */
import { isUtf8 } from 'node:buffer';
import { SockJSError } from '../base/errors.ts';
import type { RefusalReason } from '../base/refusal.ts';
import { findFieldBytes } from '../base/url-encoded.ts';
import type { Exchange } from '../http/exchange.ts';
import { PLAIN_TEXT } from '../http/headers.ts';
import type { Handler, RequestContext } from '../http/request-context.ts';
import { decodeBody } from '../protocol/message.ts';

/** Settings of sending requests. */
export interface SendSettings {
  readonly maxMessagesPerBody: number;
}

/** Differences between the handlers of `xhr_send` and `jsonp_send`. */
interface Sender {
  /** Returns the JSON in a body as UTF-8, empty if there is none. */
  readonly extractJson: (body: Buffer, exchange: Exchange) => Buffer;
  readonly status: number;
  readonly responseBody: string | undefined;
}

const BODY_REFUSALS: ReadonlyMap<string, RefusalReason> = new Map([
  ['ERR_BODY_TOO_LARGE', 'bodyTooLarge'],
  ['ERR_BODY_TIMEOUT', 'bodyTimeout'],
  ['ERR_BODY_CONSUMED', 'bodyConsumed'],
  ['ERR_NO_MEMORY', 'memoryLimit'],
]);

/** A body without a refusal is one whose client has disconnected. */
function refuseBody(context: RequestContext, { code }: SockJSError): void {
  const reason = BODY_REFUSALS.get(code);
  if (reason !== undefined) context.refuse(reason);
}

function isEncoded(exchange: Exchange): boolean {
  const encoding = exchange.header('content-encoding');
  return encoding !== undefined && encoding.toLowerCase() !== 'identity';
}

/** Reads the body of a sending request for the owner of its session. Refuses the request and returns undefined if that fails. */
export async function readSendBody(context: RequestContext): Promise<Buffer | undefined> {
  const { exchange, memory, state } = context;
  const body = await exchange.readBody(state.bodyLimits, memory);
  if (!(body instanceof SockJSError)) return body;
  refuseBody(context, body);
  return undefined;
}

/**
 * Passes the messages of a body to the session. The session is looked up before the body is read, so that a body
 * without a session costs nothing. The response is sent after the application has received the messages, because the
 * client then sends the next ones. A client that has not received the close frame yet gets the usual response, and its
 * messages are dropped. A refusal would make sockjs-client close before it reads the close frame. While a node of a
 * cluster drains, the refusal follows when the client has the close frame.
 */
async function deliver(
  context: RequestContext,
  sender: Sender,
  maxMessages: number,
): Promise<void> {
  const { exchange, headers, state } = context;
  const session = context.session();
  if (session?.seemsOpen !== true) return context.refuse('sessionNotFound');
  if (isEncoded(exchange)) return context.refuse('contentEncoding');
  if (session.inputDelay !== undefined) {
    exchange.delayBody(context.memory);
    if (!(await session.inputAllowed()))
      return context.refuse(session.inputDelay === 'opening' ? 'sessionOpening' : 'rateLimited');
  }
  const body = await exchange.readBody(state.bodyLimits, context.memory);
  if (body instanceof SockJSError) return refuseBody(context, body);
  const json = sender.extractJson(body, exchange);
  if (json.length === 0) return context.refuse('bodyMissing');
  const messages = isUtf8(json) ? decodeBody(json.toString('utf8'))?.messages : undefined;
  if (messages === undefined) return context.refuse('bodyInvalid');
  if (messages.length > maxMessages) return context.refuse('tooManyMessages');
  const { whenClosed } = state.sessions;
  if (whenClosed !== undefined && session.closeReason !== undefined) {
    // A rolling deploy must not acknowledge messages that it drops. The client gets the close frame before the refusal.
    // An `await` would keep the messages in memory until then.
    return whenClosed.then(() => context.refuse('sessionNotFound'));
  }
  if (!session.receive(exchange, messages, body.length)) return context.refuse('sessionNotFound');
  headers.push('Content-Type', PLAIN_TEXT);
  return exchange.respond(sender.status, headers, sender.responseBody);
}

function send(sender: Sender, { maxMessagesPerBody }: SendSettings): Handler {
  return (context) => deliver(context, sender, maxMessagesPerBody);
}

const XHR: Sender = { extractJson: (body) => body, status: 204, responseBody: undefined };

function formField(body: Buffer, exchange: Exchange): Buffer {
  const type = exchange.header('content-type')?.toLowerCase() ?? '';
  if (type.startsWith('text/plain')) return body;
  return findFieldBytes(body, 'd') ?? Buffer.alloc(0);
}

const JSONP: Sender = { extractJson: formField, status: 200, responseBody: 'ok' };

/** Handles `xhr_send`: the body is the JSON, whatever its content type. */
export function xhrSend(settings: SendSettings): Handler {
  return send(XHR, settings);
}

/** Handles `jsonp_send`: a form with the field `d`, or the JSON itself as `text/plain`. */
export function jsonpSend(settings: SendSettings): Handler {
  return send(JSONP, settings);
}
