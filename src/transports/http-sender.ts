/** The sending half of the HTTP transports: `xhr_send` and `jsonp_send`. PROTOCOL "Messages from the client". */
import { isUtf8 } from 'node:buffer';
import { SockJSError } from '../errors.ts';
import type { Exchange } from '../http/exchange.ts';
import { PLAIN_TEXT } from '../http/headers.ts';
import { decodeBody } from '../protocol/message.ts';
import type { Endpoint, Hit } from '../service.ts';

/** Takes the JSON out of a body; '' if it holds none. */
type Payload = (body: string, exchange: Exchange) => string;

function plain(hit: Hit, status: number, body?: string): void {
  hit.exchange.answer(status, [...hit.headers, 'Content-Type', PLAIN_TEXT], body);
}

/** @returns undefined if the answer has been given, or nobody waits for one */
async function readBody(hit: Hit): Promise<Buffer | undefined> {
  const limit = hit.service.settings.maxMessageBytes;
  try {
    return await hit.exchange.readBody(limit);
  } catch (error) {
    if (!(error instanceof SockJSError)) throw error;
    if (error.code === 'ERR_BODY_TOO_LARGE') plain(hit, 413, `At most ${limit} bytes.`);
    return undefined;
  }
}

function isEncoded(exchange: Exchange): boolean {
  const encoding = exchange.header('content-encoding');
  return encoding !== undefined && encoding.toLowerCase() !== 'identity';
}

// The session first, then the body: what nobody waits for is never read. The answer goes out after
// the application has had the messages, which is how a client knows that it may send the next.
async function accept(hit: Hit, payload: Payload, confirm: () => void): Promise<void> {
  const session = hit.service.findSession(hit);
  if (session?.isOpen !== true) return plain(hit, 404, 'Session not found.');
  if (isEncoded(hit.exchange)) return plain(hit, 415, 'Content-Encoding is not supported.');
  if (session.isOpening && !(await session.opened())) return plain(hit, 503, 'Still opening.');
  const body = await readBody(hit);
  if (body === undefined) return undefined;
  const json = payload(body.toString('utf8'), hit.exchange);
  if (json === '') return plain(hit, 500, 'Payload expected.');
  const messages = isUtf8(body) ? decodeBody(json) : undefined;
  if (messages === undefined) return plain(hit, 500, 'Broken JSON encoding.');
  if (!session.receive(messages)) return plain(hit, 404, 'Session not found.');
  return confirm();
}

/** `xhr_send`: the body is the JSON, whatever its content type. */
export const XHR_SEND: Endpoint = (hit) =>
  accept(
    hit,
    (body) => body,
    () => plain(hit, 204),
  );

function formField(body: string, exchange: Exchange): string {
  const type = exchange.header('content-type')?.toLowerCase() ?? '';
  return type.startsWith('text/plain') ? body : (new URLSearchParams(body).get('d') ?? '');
}

/** `jsonp_send`: a form with the field `d`, or the JSON itself as `text/plain`. */
export const JSONP_SEND: Endpoint = (hit) => accept(hit, formField, () => plain(hit, 200, 'ok'));
