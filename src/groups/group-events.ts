/**
 * Events of groups, on channels of `node:diagnostics_channel`.
 *
 * | channel | message | published when |
 * | --- | --- | --- |
 * | `sockjs-server:join` | `GroupEvent` | a connection has joined a group |
 * | `sockjs-server:leave` | `GroupEvent` | a connection has left a group, or has closed |
 * | `sockjs-server:missed` | `GroupMissedEvent` | this node may have missed messages of a group that has members here |
 */
import { channel } from 'node:diagnostics_channel';

/** Message of the channels `sockjs-server:join` and `sockjs-server:leave`. */
export interface GroupEvent {
  /** Prefix of the router. */
  readonly prefix: string;
  readonly group: string;
  /** `id` of the connection. */
  readonly id: string;
}

/** Message of the channel `sockjs-server:missed`. */
export type GroupMissedEvent = Omit<GroupEvent, 'id'>;

const JOINED = channel('sockjs-server:join');
const LEFT = channel('sockjs-server:leave');
const MISSED = channel('sockjs-server:missed');

/** Publishes the events of one group. */
export class GroupEvents {
  readonly #event: GroupMissedEvent;

  constructor(prefix: string, group: string) {
    this.#event = { prefix, group };
  }

  joined(id: string): void {
    if (JOINED.hasSubscribers) JOINED.publish({ ...this.#event, id } satisfies GroupEvent);
  }

  left(id: string): void {
    if (LEFT.hasSubscribers) LEFT.publish({ ...this.#event, id } satisfies GroupEvent);
  }

  missed(): void {
    if (MISSED.hasSubscribers) MISSED.publish({ ...this.#event });
  }
}
