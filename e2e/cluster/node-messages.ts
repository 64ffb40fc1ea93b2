/** Messages between a test and the process of a node. */

export interface NodeOptions {
  /** Name in reports and in the greeting of each session. */
  readonly name: string;
  readonly engine: 'nats' | 'redis';
  readonly engineUrl: string;
  /** Port for clients. */
  readonly port: number;
  /** Port of the relay listener. */
  readonly relayPort: number;
  /** Ports under which this node reaches the relay listeners of other nodes, by their own port. */
  readonly routes?: Readonly<Record<string, number>>;
  readonly disconnectDelay: number;
}

/** Commands to a node. */
export type NodeCommand =
  | { readonly type: 'close' }
  | { readonly type: 'stats' }
  | { readonly type: 'subscribe'; readonly topic: string }
  | {
      readonly type: 'publish';
      readonly topic: string;
      /** Number of the first message. */
      readonly first: number;
      readonly count: number;
      readonly bytes: number;
      /** Rate in bytes per second. */
      readonly rate: number;
    };

/** A subscribed topic as the node has seen it. */
export interface TopicStats {
  readonly received: number;
  readonly missed: number;
  /** True if a message was repeated or came out of order. */
  readonly isDisordered: boolean;
  readonly last: number;
}

export interface NodeStats {
  readonly type: 'stats';
  readonly members: number;
  readonly isUp: boolean;
  readonly claims: number;
  readonly relayedIn: number;
  readonly relayedOut: number;
  readonly sessionsActive: number;
  readonly rssBytes: number;
  readonly topic: TopicStats;
}

/** Reports of a node. */
export type NodeReport =
  | { readonly type: 'ready' }
  | { readonly type: 'closed' }
  | { readonly type: 'subscribed' }
  | { readonly type: 'published'; readonly ms: number; readonly lost: number }
  /** Texts that `onMessage` has received. */
  | { readonly type: 'messages'; readonly texts: readonly string[] }
  | NodeStats;
