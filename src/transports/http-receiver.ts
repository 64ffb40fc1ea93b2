/**
 * The receiving half of every HTTP transport: finds or opens the session of a request, and is the
 * receiver to which its frames go until the answer is full.
 */
import type { AnswerListener, Exchange, HeaderList } from '../http/exchange.ts';
import { PLAIN_TEXT } from '../http/headers.ts';
import type { Frame } from '../protocol/frame.ts';
import type { Endpoint, Hit } from '../service.ts';
import type { LiveSession, Receiver } from '../sessions/live-session.ts';
import type { HttpTransport } from './transport.ts';

class HttpReceiver implements Receiver, AnswerListener {
  readonly #exchange: Exchange;
  readonly #transport: HttpTransport;
  readonly #callback: string;
  readonly #session: LiveSession;
  readonly #limit: number;
  readonly #patience: number;
  #headers: HeaderList | undefined;
  #sent = 0;
  #isAttached = false;

  constructor(hit: Hit, transport: HttpTransport, callback: string, session: LiveSession) {
    this.#exchange = hit.exchange;
    this.#transport = transport;
    this.#callback = callback;
    this.#session = session;
    this.#limit = transport.streams ? hit.service.settings.responseLimit : 1;
    this.#patience = hit.service.settings.disconnectDelay;
    this.#headers = [...hit.headers, 'Content-Type', transport.contentType, ...transport.headers];
    hit.exchange.watch(this);
    if (transport.streams) this.#begin(this.#headers);
  }

  attach(): void {
    this.#isAttached = this.#session.attach(this);
  }

  get bufferedBytes(): number {
    return this.#exchange.bufferedBytes;
  }

  get writable(): boolean {
    return this.#exchange.writable;
  }

  get full(): boolean {
    return this.#sent >= this.#limit;
  }

  write(frame: Frame): void {
    const chunk = this.#transport.encode(frame, this.#callback);
    this.#sent += Buffer.byteLength(chunk);
    if (this.#headers === undefined) this.#exchange.write(chunk);
    else this.#exchange.answer(200, this.#headers, chunk);
  }

  end(): void {
    if (this.#headers === undefined) this.#exchange.end();
    // A client that takes nothing of it for so long is gone.
    if (this.bufferedBytes > 0) this.#exchange.abortIfStalled(this.#patience);
  }

  abort(): void {
    this.#exchange.abort();
  }

  drained(): void {
    this.#session.drained();
  }

  sent(): void {
    this.#session.sent(this);
  }

  gone(): void {
    if (this.#isAttached) this.#session.interrupted(this);
  }

  #begin(headers: HeaderList): void {
    this.#exchange.begin(headers);
    this.#exchange.write(this.#transport.prelude(this.#callback));
    this.#headers = undefined;
  }
}

const LONGEST_CALLBACK = 32;
const CALLBACK = /^[a-zA-Z0-9\-_.]+$/;

function callbackFault(callback: string): string | undefined {
  if (callback === '') return '"callback" parameter required';
  const valid = callback.length <= LONGEST_CALLBACK && CALLBACK.test(callback);
  return valid ? undefined : 'invalid "callback" parameter';
}

function readCallback(query: string): string {
  const parameters = new URLSearchParams(query);
  return parameters.get('c') ?? parameters.get('callback') ?? '';
}

/** The endpoint for requests that receive frames by this transport. */
export function receiving(transport: HttpTransport): Endpoint {
  return (hit) => {
    const { exchange, service, headers } = hit;
    const callback = transport.takesCallback ? readCallback(exchange.query) : '';
    const fault = transport.takesCallback ? callbackFault(callback) : undefined;
    if (fault !== undefined) {
      exchange.answer(500, [...headers, 'Content-Type', PLAIN_TEXT], fault);
      return;
    }
    const known = service.findSession(hit);
    if (known === undefined && service.sessions.isDraining) {
      exchange.answer(
        503,
        [...headers, 'Content-Type', PLAIN_TEXT, 'Retry-After', '1'],
        'Shutting down.',
      );
      return;
    }
    const session = known ?? service.openSession(hit, transport.name);
    new HttpReceiver(hit, transport, callback, session).attach();
  };
}
