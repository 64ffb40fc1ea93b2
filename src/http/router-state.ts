import type { ConnectionInfo } from '../base/connection-info.ts';
import type { SockJSLogger } from '../base/logging.ts';
import type { SessionRegistry } from '../sessions/session-registry.ts';
import type { Authorize } from './authorize.ts';
import { ClientAddressReader, type ForwardedHeader } from './client-address.ts';
import type { BodyLimits } from './exchange.ts';
import { OperatorWarnings } from './operator-warnings.ts';
import { type AllowedOrigins, OriginGuard } from './origin-guard.ts';
import { PendingDecisions } from './pending-decisions.ts';

/** Settings that `http/` reads. Times in milliseconds. */
export interface HttpSettings {
  readonly allowedOrigins: AllowedOrigins;
  readonly authorize: Authorize<unknown> | undefined;
  readonly authorizeTimeout: number;
  readonly bodyTimeout: number;
  readonly disconnectDelay: number;
  readonly forwardedHeader: ForwardedHeader;
  readonly maxMessageBytes: number;
  readonly maxPendingDecisions: number;
  readonly maxPendingDecisionsPerAddress: number;
  readonly maxSessions: number;
  readonly maxSessionsPerAddress: number;
  readonly trustedProxies: readonly string[];
  readonly verifyIp: boolean | ((request: ConnectionInfo) => string);
}

/** State that the requests of one router share. */
export class RouterState {
  readonly prefix: string;
  readonly settings: HttpSettings;
  readonly logger: SockJSLogger;
  readonly sessions: SessionRegistry;
  readonly addresses: ClientAddressReader;
  readonly originGuard: OriginGuard;
  readonly decisions: PendingDecisions;
  /** Keys of sessions for which `authorize` is pending. */
  readonly opening = new Set<string>();
  readonly warnings: OperatorWarnings;
  readonly bodyLimits: BodyLimits;
  /** True once the router has shut down. */
  isClosed = false;

  /** @throws SockJSError `ERR_SETTING` if `trustedProxies` has an invalid entry */
  constructor(
    prefix: string,
    settings: HttpSettings,
    logger: SockJSLogger,
    sessions: SessionRegistry,
  ) {
    this.prefix = prefix;
    this.settings = settings;
    this.logger = logger;
    this.sessions = sessions;
    this.addresses = new ClientAddressReader(settings.trustedProxies, settings.forwardedHeader);
    this.originGuard = new OriginGuard(settings.allowedOrigins);
    this.warnings = new OperatorWarnings(prefix, logger);
    const limits = {
      timeout: settings.authorizeTimeout,
      maxPending: settings.maxPendingDecisions,
      maxPendingPerAddress: settings.maxPendingDecisionsPerAddress,
    };
    this.decisions = new PendingDecisions(limits, (kind) => {
      // A look-up of the owner has a shorter time limit.
      if (kind !== 'owner') this.warnings.warn(`${kind}Pending`);
    });
    this.bodyLimits = { maxBytes: settings.maxMessageBytes, timeout: settings.bodyTimeout };
  }
}
