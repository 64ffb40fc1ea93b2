import type { CloseReason, CloseStatus } from '../base/close-reasons.ts';
import type { ConnectionInfo } from '../base/connection-info.ts';
import type { ClientMemory } from '../base/memory-budget.ts';
import type { TransportName } from '../base/transport-name.ts';
import type { GroupContext } from '../groups/memberships.ts';
import type { Message } from '../protocol/message.ts';
import type { HandlerContext } from '../sessions/handler-runner.ts';

/** The part of a session, or of a channel of a multiplexed session, that a connection uses. */
export interface ConnectionBackend {
  readonly info: ConnectionInfo;
  /** Result of the setting `authorize`. */
  readonly user: unknown;
  readonly transport: TransportName;
  /** Set once the connection is closing or closed. */
  readonly closeReason: CloseStatus | undefined;
  readonly bufferedBytes: number;
  readonly context: HandlerContext;
  readonly memory: ClientMemory;
  /** Sends a message. Returns false when the client falls behind, or the connection is closed. */
  send(message: Message): boolean;
  /** Resolves to true once the client keeps up, or to false if the connection ends before that. */
  whenDrained(): Promise<boolean>;
  /**
   * Calls `watcher` when the connection closes, or at once if it is closed.
   * @returns a function that removes the watcher
   */
  watchClose(watcher: () => void): () => void;
  /** Delays the client's input until a promise resolves, which must not reject. */
  holdInput(until: Promise<unknown>): void;
  close(reason: CloseReason): void;
}

/** Everything that a connection gets when its client has connected. */
export interface ConnectionLink {
  readonly backend: ConnectionBackend;
  /** Groups of its router. */
  readonly groups: GroupContext;
}
