/** The `authorize` setting: types of the function and of its argument. */
import type { PeerCertificate } from 'node:tls';
import { ConnectionInfo, type RequestHead } from '../base/connection-info.ts';
import type { Refusal } from '../base/refusal.ts';

/**
 * Authenticates a client. It is called once for each session, on every transport, before the session opens.
 * @returns the user, which becomes `connection.user`, or a `Refusal`. Undefined, null and false refuse with 403. A
 * promise or thenable of any of these is awaited. An exception is logged, and the client gets 500
 */
export type Authorize<User> = (
  request: SessionRequest,
) => Authorized<User> | PromiseLike<Authorized<User>>;

type Authorized<User> = User | Refusal | undefined | null | false;

/** Properties of a request that exist only until its response. */
export interface PendingRequest {
  readonly method: string;
  readonly certificate: PeerCertificate | undefined;
  readonly signal: AbortSignal;
}

/** The request that is about to open a session, as `authorize` receives it. */
export class SessionRequest extends ConnectionInfo {
  readonly #pending: PendingRequest;
  readonly #query: string;

  constructor(head: RequestHead, pending: PendingRequest) {
    super(head);
    this.#query = head.query;
    this.#pending = pending;
  }

  /** HTTP method. */
  get method(): string {
    return this.#pending.method;
  }

  /** Path and query, undecoded, without the session id. */
  get url(): string {
    return this.#query === '' ? this.path : `${this.path}?${this.#query}`;
  }

  /** The client's certificate, if the server requested one and verified it. */
  get certificate(): PeerCertificate | undefined {
    return this.#pending.certificate;
  }

  /**
   * Aborts when the result is no longer needed: the client has disconnected, `authorizeTimeout` has passed, or the
   * router is closing. Pass it to `fetch` or to a database driver.
   */
  get signal(): AbortSignal {
    return this.#pending.signal;
  }
}
