/** Settings that http/, transports/ and routes/ read through the request context. */
import type { ConnectionInfo, SessionRequest } from '../base/connection-info.ts';
import type { Refusal } from '../base/refusal.ts';
import type { TransportName } from '../base/transport-name.ts';
import type { AllowedOrigins } from './origin-guard.ts';

/**
 * Authenticates the client before its session opens. Called once for each session, on every transport.
 * @returns the user, which becomes `connection.user`, or a `Refusal`. `undefined`, `null` and `false` refuse with
 * 403. A promise of any of these is awaited. An exception is logged, and the request gets 500
 */
export type Authorize<User> = (
  request: SessionRequest,
) => Authorized<User> | Promise<Authorized<User>>;

type Authorized<User> = User | Refusal | undefined | null | false;

export interface HttpSettings {
  readonly allowedOrigins: AllowedOrigins;
  readonly authorize: Authorize<unknown> | undefined;
  readonly baseUrl: string | URL | undefined;
  readonly bodyTimeout: number;
  readonly disabledTransports: readonly TransportName[];
  readonly jsessionid: boolean;
  readonly maxMessageBytes: number;
  readonly maxMessagesPerBody: number;
  readonly maxSessions: number;
  readonly maxSessionsPerAddress: number;
  readonly maxTotalBufferedBytes: number;
  readonly responseLimit: number;
  readonly sockjsUrl: string | URL | undefined;
  readonly trustedProxies: readonly string[];
  readonly verifyIp: boolean | ((request: ConnectionInfo) => string);
}
