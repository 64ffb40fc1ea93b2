/** The sending half of the HTTP transports: `xhr_send` and `jsonp_send`. PROTOCOL "Messages from the client". */
import { isUtf8 } from 'node:buffer';
import { SockJSError } from '../base/errors.ts';
import type { Exchange } from '../http/exchange.ts';
import { PLAIN_TEXT } from '../http/headers.ts';
import { decodeBody } from '../protocol/message.ts';
import type { RefusalReason } from '../base/refusal.ts';
import type { Endpoint, Hit } from '../http/request-context.ts';

/** What tells the two endpoints apart. */
interface Sender {
  /** Takes the JSON out of a body; '' if it holds none. */
  readonly payload: (body: string, exchange: Exchange) => string;
  readonly status: number;
  readonly answer: string | undefined;
}

const BODY_FAULTS: ReadonlyMap<string, RefusalReason> = new Map([
  ['ERR_BODY_TOO_LARGE', 'bodyTooLarge'],
  ['ERR_BODY_TIMEOUT', 'bodyTimeout'],
  ['ERR_NO_MEMORY', 'memoryLimit'],
]);

/** A client that has gone away is answered nothing. */
function refuseBody(hit: Hit, { code }: SockJSError): void {
  const reason = BODY_FAULTS.get(code);
  if (reason !== undefined) hit.service.refuse(hit, reason);
}

function isEncoded(exchange: Exchange): boolean {
  const encoding = exchange.header('content-encoding');
  return encoding !== undefined && encoding.toLowerCase() !== 'identity';
}

// A client that has not heard of the end yet is told that all is well: refused, it would give up, and never
// hear of it. The session first, then the body: what nobody waits for is never read. The answer goes out after
// the application has had the messages, which is how a client knows that it may send the next.
async function accept(hit: Hit, sender: Sender): Promise<void> {
  const { exchange, service, headers } = hit;
  const session = service.findSession(hit);
  if (session?.seemsOpen !== true) return service.refuse(hit, 'sessionNotFound');
  if (isEncoded(exchange)) return service.refuse(hit, 'contentEncoding');
  if (session.inputDelay !== undefined && !(await session.inputAllowed())) {
    return service.refuse(hit, session.inputDelay === 'opening' ? 'sessionOpening' : 'rateLimited');
  }
  const body = await exchange.readBody(service.bodyLimits);
  if (body instanceof SockJSError) return refuseBody(hit, body);
  const json = sender.payload(body.toString('utf8'), exchange);
  if (json === '') return service.refuse(hit, 'bodyMissing');
  const messages = isUtf8(body) ? decodeBody(json)?.messages : undefined;
  if (messages === undefined) return service.refuse(hit, 'bodyInvalid');
  if (messages.length > service.settings.maxMessagesPerBody) {
    return service.refuse(hit, 'tooManyMessages');
  }
  if (!session.receive(exchange, messages, body.length))
    return service.refuse(hit, 'sessionNotFound');
  headers.push('Content-Type', PLAIN_TEXT);
  return exchange.answer(sender.status, headers, sender.answer);
}

const XHR: Sender = { payload: (body) => body, status: 204, answer: undefined };

function formField(body: string, exchange: Exchange): string {
  const type = exchange.header('content-type')?.toLowerCase() ?? '';
  return type.startsWith('text/plain') ? body : (new URLSearchParams(body).get('d') ?? '');
}

const JSONP: Sender = { payload: formField, status: 200, answer: 'ok' };

/** `xhr_send`: the body is the JSON, whatever its content type. */
export const XHR_SEND: Endpoint = (hit) => accept(hit, XHR);

/** `jsonp_send`: a form with the field `d`, or the JSON itself as `text/plain`. */
export const JSONP_SEND: Endpoint = (hit) => accept(hit, JSONP);
