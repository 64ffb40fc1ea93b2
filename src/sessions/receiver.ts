/** What a session is joined to. */
import type { ConnectionInfo } from '../base/connection-info.ts';
import type { MemoryBudget } from '../base/memory-budget.ts';
import type { Frame } from '../protocol/frame.ts';
import type { SockJSLogger } from '../base/logging.ts';
import type { TransportName } from '../base/transport-name.ts';
import type { SockJSStats } from '../base/stats.ts';
import type { FlushQueue } from './flush-queue.ts';
import type { SessionSettings } from './settings.ts';

/** Where a session comes from. */
export interface SessionInit {
  readonly transport: TransportName;
  readonly info: ConnectionInfo;
  /** What `authorize` answered. */
  readonly user: unknown;
  /** Under what the directory knows it; undefined for WebSockets, which nobody looks up. */
  readonly key: string | undefined;
}

/** Where frames go: a response, a WebSocket, one day another node. */
export interface Receiver {
  /** Written, but not yet taken by the network; in bytes. */
  readonly bufferedBytes: number;
  /** All that has come over a WebSocket; undefined where that says nothing of the client. */
  readonly bytesReceived: number | undefined;
  /** False: the peer does not keep up, and messages wait in the session until `drained`. */
  readonly writable: boolean;
  /** True: this receiver has taken all that it can, and the next one is awaited. */
  readonly full: boolean;
  write(frame: Frame): void;
  /** The client should be taking what was written: if it takes nothing for `writeTimeout` it has stalled. */
  expectProgress(): void;
  /** Nothing more will be written; what was written still goes out. */
  end(): void;
  /** Drops the connection, with whatever was not yet taken. */
  abort(): void;
}

/** What the sessions of one router share. */
export interface SessionContext<S> {
  readonly settings: SessionSettings;
  readonly logger: SockJSLogger;
  readonly stats: SockJSStats;
  readonly turn: FlushQueue;
  readonly budget: MemoryBudget;
  /** Milliseconds that only ever grow. */
  readonly clock: () => number;
  /** The session has reached a state in which a draining router need not wait for it. */
  settled(session: S): void;
  /** The session is closed: nothing refers to it any more. */
  forget(session: S): void;
}
