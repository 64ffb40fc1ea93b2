/** Statistics of one node. */
export interface ClusterStats {
  readonly backplaneUp: boolean;
  /** Sessions for which this node holds the claim. */
  readonly claims: number;
  /** Nodes, this one included. */
  readonly members: number;
  /** Requests that other nodes have relayed to this one. */
  readonly relayedIn: number;
  /** Requests that this node has relayed. */
  readonly relayedOut: number;
  /** Claims and look-ups of owners in the backplane. */
  readonly lookups: number;
  /** Requests of sessions whose owner was gone. */
  readonly ownersLost: number;
  /** Messages that could not be published. */
  readonly lostPublishes: number;
}
