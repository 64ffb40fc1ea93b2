import type { CloseStatus } from '../../base/close-reasons.ts';
import { describeClose } from './inbox.ts';

/** Thrown if a client cannot open a session: it was refused with an HTTP status, or closed before it was accepted. */
export class OpenError extends Error {
  override readonly name = 'OpenError';
  /** Status of the HTTP response, or undefined if the session was opened and closed. */
  readonly status: number | undefined;
  /** Code of the close frame, or undefined if the request was refused. */
  readonly code: number | undefined;
  /** Body of the response, or reason of the close frame. */
  readonly reason: string;
  /** Messages that the client has received until then. */
  readonly received: readonly unknown[];

  constructor(
    message: string,
    { status, code, reason }: Partial<CloseStatus> & { readonly status?: number },
    received: readonly unknown[] = [],
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.reason = reason ?? '';
    this.received = received;
  }

  static refused(status: number, body: string): OpenError {
    const hint = status === 500 ? ' The log has the error.' : '';
    return new OpenError(`The client was refused with ${status}: ${body}${hint}`, {
      status,
      reason: body,
    });
  }

  static closed(status: CloseStatus, received: readonly unknown[]): OpenError {
    const text = `The connection was not accepted, and has closed with ${describeClose(status)}`;
    return new OpenError(text, status, received);
  }
}
