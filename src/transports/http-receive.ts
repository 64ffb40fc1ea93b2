/**
 * The receiving half of every HTTP transport: finds or opens the session of a request, and is the
 * receiver to which its frames go until the answer is full.
 */
import type { AnswerListener, Exchange, HeaderList } from '../http/exchange.ts';
import type { Frame } from '../protocol/frame.ts';
import { admit } from '../http/admission.ts';
import type { RefusalReason } from '../base/refusal.ts';
import type { Endpoint, Hit } from '../http/request-context.ts';
import type { Session } from '../sessions/session.ts';
import type { Receiver } from '../sessions/receiver.ts';
import type { HttpTransport } from './transport.ts';

class HttpReceiver implements Receiver, AnswerListener {
  readonly renewable = true;
  readonly #exchange: Exchange;
  readonly #transport: HttpTransport;
  readonly #callback: string;
  readonly #session: Session;
  readonly #limit: number;
  #headers: HeaderList | undefined;
  #sent = 0;
  #isAttached = false;

  constructor(hit: Hit, transport: HttpTransport, callback: string, session: Session) {
    this.#exchange = hit.exchange;
    this.#transport = transport;
    this.#callback = callback;
    this.#session = session;
    this.#limit = hit.service.settings.responseLimit;
    this.#headers = hit.headers;
    this.#headers.push('Content-Type', transport.contentType, ...transport.headers);
    hit.exchange.watch(this);
    if (transport.streams) this.#begin(this.#headers);
  }

  attach(): void {
    this.#isAttached = this.#session.attach(this);
  }

  get bufferedBytes(): number {
    return this.#exchange.bufferedBytes;
  }

  /** A response hears nothing. */
  get bytesReceived(): undefined {
    return undefined;
  }

  get writable(): boolean {
    return this.#exchange.writable;
  }

  get full(): boolean {
    return this.#sent >= this.#limit;
  }

  write(frame: Frame): void {
    const chunk = this.#transport.encode(frame, this.#callback);
    if (this.#headers === undefined) {
      this.#sent += Buffer.byteLength(chunk);
      this.#exchange.write(chunk);
    } else {
      this.#sent = this.#limit; // An answer takes one frame.
      this.#exchange.answer(200, this.#headers, chunk);
    }
  }

  end(): void {
    if (this.#headers === undefined) this.#exchange.end();
  }

  watchProgress(): void {
    this.#exchange.expectProgress();
  }

  abort(): void {
    this.#exchange.abort();
  }

  drained(): void {
    this.#session.onDrain();
  }

  sent(): void {
    this.#session.onDelivered(this);
  }

  gone(): void {
    if (this.#isAttached) this.#session.onClosed(this);
  }

  stalled(): void {
    if (this.#isAttached) this.#session.onWriteTimeout(this);
    else this.abort();
  }

  #begin(headers: HeaderList): void {
    this.#exchange.begin(headers);
    this.#exchange.write(this.#transport.prelude(this.#callback));
    this.#headers = undefined;
  }
}

const LONGEST_CALLBACK = 32;
const CALLBACK = /^[a-zA-Z0-9\-_.]+$/;

function callbackFault(callback: string): RefusalReason | undefined {
  if (callback === '') return 'callbackMissing';
  const valid = callback.length <= LONGEST_CALLBACK && CALLBACK.test(callback);
  return valid ? undefined : 'callbackInvalid';
}

function readCallback(query: string): string {
  const parameters = new URLSearchParams(query);
  return parameters.get('c') ?? parameters.get('callback') ?? '';
}

/** The endpoint for requests that receive frames by this transport. */
export function receiving(transport: HttpTransport): Endpoint {
  return (hit) => {
    const { exchange, service } = hit;
    const callback = transport.takesCallback ? readCallback(exchange.query) : '';
    const fault = transport.takesCallback ? callbackFault(callback) : undefined;
    if (fault !== undefined) return service.refuse(hit, fault);
    const receive = (session: Session): void => {
      new HttpReceiver(hit, transport, callback, session).attach();
    };
    const known = service.findSession(hit);
    if (known !== undefined) return receive(known);
    return admit(hit, (user) => receive(service.openSession(hit, transport.name, user)));
  };
}
