/** Receiving requests of the HTTP transports. A request finds or opens its session, and its response carries frames. */
import { payloadLength } from '../base/payload.ts';
import type { RefusalReason } from '../base/refusal.ts';
import { findField } from '../base/url-encoded.ts';
import { type Admission, admitSession, enforceSession } from '../http/admission.ts';
import type { Exchange, HeaderList, ResponseListener } from '../http/exchange.ts';
import type { Handler, RequestContext } from '../http/request-context.ts';
import type { Frame } from '../protocol/frame.ts';
import type { Receiver } from '../sessions/receiver.ts';
import type { Session } from '../sessions/session.ts';
import type { HttpTransport } from './transport.ts';

/** Settings of receiving requests. */
export interface ReceiveSettings {
  /** Bytes after which a streaming response ends, without the prelude. */
  readonly responseLimit: number;
}

class HttpReceiver implements Receiver, ResponseListener {
  readonly renewable = true;
  readonly #exchange: Exchange;
  readonly #transport: HttpTransport;
  readonly #callback: string;
  readonly #session: Session;
  readonly #limit: number;
  /** Headers of the response, until it has started. */
  #headers: HeaderList | undefined;
  #written = 0;
  #isAttached = false;
  #isEnded = false;

  constructor(
    { exchange, headers }: RequestContext,
    transport: HttpTransport,
    callback: string,
    session: Session,
    limit: number,
  ) {
    this.#exchange = exchange;
    this.#transport = transport;
    this.#callback = callback;
    this.#session = session;
    this.#limit = limit;
    this.#headers = headers;
    headers.push('Content-Type', transport.contentType, ...transport.headers);
    exchange.listen(this);
    if (transport.streaming) this.#startStream(headers);
  }

  attach(): void {
    this.#isAttached = this.#session.attach(this);
  }

  get source(): Exchange {
    return this.#exchange;
  }

  get bufferedBytes(): number {
    return this.#exchange.bufferedBytes;
  }

  /** A response carries no input, so it cannot show that the client is connected. */
  get bytesReceived(): undefined {
    return undefined;
  }

  get writable(): boolean {
    return this.#exchange.writable;
  }

  get full(): boolean {
    return this.#written >= this.#limit;
  }

  write(frame: Frame): void {
    const chunk = this.#transport.encode(frame, this.#callback);
    if (this.#headers === undefined) {
      this.#written += payloadLength(chunk);
      this.#exchange.write(chunk);
    } else {
      this.#written = this.#limit; // A polling response carries exactly one frame.
      this.#isEnded = true;
      this.#exchange.respond(200, this.#headers, chunk);
    }
  }

  end(): void {
    this.#isEnded = true;
    if (this.#headers === undefined) this.#exchange.end();
  }

  abort(): void {
    this.#exchange.abort();
  }

  onDrain(): void {
    this.#session.onDrain();
  }

  /** Counts a response that other code has ended, such as a middleware for timeouts, as a lost one. */
  onFinish(): void {
    if (this.#isEnded) this.#session.onDelivered(this);
    else this.onDisconnect();
  }

  onDisconnect(): void {
    if (this.#isAttached) this.#session.onClosed(this);
  }

  onWriteTimeout(): void {
    if (this.#isAttached) this.#session.onWriteTimeout(this);
    else this.abort();
  }

  #startStream(headers: HeaderList): void {
    this.#exchange.startStream(headers);
    this.#exchange.write(this.#transport.prelude(this.#callback));
    this.#headers = undefined;
  }
}

/**
 * Limit for the headers of a receiving request. Node keeps the request until the response has ended, and each header
 * takes about 100 bytes in addition to its text. A WebSocket keeps only the text.
 */
const MAX_HEADERS = 100;

const MAX_CALLBACK_LENGTH = 32;
const CALLBACK = /^[a-zA-Z0-9\-_.]+$/;

function checkCallback(callback: string): RefusalReason | undefined {
  if (callback === '') return 'callbackMissing';
  const isValid = callback.length <= MAX_CALLBACK_LENGTH && CALLBACK.test(callback);
  return isValid ? undefined : 'callbackInvalid';
}

function readCallback(query: string): string {
  return findField(query, 'c') ?? findField(query, 'callback') ?? '';
}

/** Returns the callback of a request, or the reason to refuse it. */
function callbackOf(
  { needsCallback }: HttpTransport,
  { query }: Exchange,
): { readonly callback: string; readonly reason: RefusalReason | undefined } {
  if (!needsCallback) return { callback: '', reason: undefined };
  const callback = readCallback(query);
  return { callback, reason: checkCallback(callback) };
}

/** Responds to a receiving request with one frame, without a session. */
export function endReceiver(context: RequestContext, transport: HttpTransport, frame: Frame): void {
  const { exchange, headers } = context;
  const { callback, reason } = callbackOf(transport, exchange);
  if (reason !== undefined) return context.refuse(reason);
  const text = transport.encode(frame, callback);
  headers.push('Content-Type', transport.contentType, ...transport.headers);
  return exchange.respond(200, headers, transport.prelude(callback) + text);
}

/** Returns the handler of receiving requests of a transport. */
export function receive(transport: HttpTransport, { responseLimit }: ReceiveSettings): Handler {
  const attach = (context: RequestContext, callback: string, session: Session): void => {
    new HttpReceiver(context, transport, callback, session, responseLimit).attach();
  };
  const open = (context: RequestContext, callback: string, admission: Admission): void => {
    if (!enforceSession(context, admission)) return;
    const session = context.openSession(transport.name, admission.user);
    if (session !== undefined) attach(context, callback, session);
  };
  const openLater = (context: RequestContext, callback: string, admission: Admission): void => {
    // Another request of the client may have opened the session in the meantime.
    const session = admission.type === 'admitted' ? context.session() : undefined;
    if (session === undefined) open(context, callback, admission);
    else attach(context, callback, session);
  };
  return (context) => {
    if (context.exchange.rawHeaders.length > 2 * MAX_HEADERS)
      return context.refuse('tooManyHeaders');
    const { callback, reason } = callbackOf(transport, context.exchange);
    if (reason !== undefined) return context.refuse(reason);
    const session = context.session();
    if (session !== undefined) return attach(context, callback, session);
    const admission = admitSession(context, transport.name);
    if (!(admission instanceof Promise)) return open(context, callback, admission);
    return admission.then((settled) => openLater(context, callback, settled));
  };
}
