import type { ConnectionInfo } from '../base/connection-info.ts';
import type { ClientMemory } from '../base/memory-budget.ts';
import type { SockJSLogger } from '../base/logging.ts';
import type { TransportName } from '../base/transport-name.ts';
import type { SockJSStats } from '../base/stats.ts';
import type { FlushQueue } from './flush-queue.ts';
import type { SessionSettings } from './session-settings.ts';

/** The request that opens a session. */
export interface SessionInit {
  readonly transport: TransportName;
  readonly info: ConnectionInfo;
  /** Result of `authorize`. */
  readonly user: unknown;
  /** The memory budget of the client. */
  readonly memory: ClientMemory;
  /** Key under which later requests find the session. Undefined for a WebSocket, which needs no further request. */
  readonly key: string | undefined;
}

/** Objects that the sessions of one router share. */
export interface SessionContext {
  readonly settings: SessionSettings;
  readonly logger: SockJSLogger;
  readonly stats: SockJSStats;
  readonly flushQueue: FlushQueue;
  /** Monotonic clock in milliseconds. */
  readonly clock: () => number;
  /** Returns the age at which a session is closed, in milliseconds. */
  readonly chooseMaxAge: () => number;
}
