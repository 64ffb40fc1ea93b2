/** What a session is joined to. */
import type { ConnectionInfo } from '../connection-info.ts';
import type { Backlog } from '../backlog.ts';
import type { Frame } from '../protocol/frame.ts';
import type { Logger, Settings, TransportName } from '../settings.ts';
import type { Stats } from '../stats.ts';
import type { LiveSession } from './live-session.ts';
import type { Turn } from './turn.ts';

/** Where a session comes from. */
export interface Origin {
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
export interface Surroundings {
  readonly settings: Settings;
  readonly logger: Logger;
  readonly stats: Stats;
  readonly turn: Turn;
  readonly backlog: Backlog;
  /** Milliseconds that only ever grow. */
  readonly clock: () => number;
  /** The session has reached a state in which a draining router need not wait for it. */
  settled(session: LiveSession): void;
  /** The session is closed: nothing refers to it any more. */
  forget(session: LiveSession): void;
}
