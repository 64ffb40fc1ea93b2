import type { NodeId } from '../backplane/backplane.ts';
import { checkText } from '../groups/group-arguments.ts';
import { SockJSGroup } from '../groups/group.ts';
import { checkPrefix } from '../http/check-prefix.ts';
import { type ClusterOptions, checkClusterOptions } from './cluster-options.ts';
import type { ClusterStats } from './cluster-stats.ts';
import { LocalNode } from './local-node.ts';
import type { ClusterNodeInfo } from './node-directory.ts';

let nodeOf: (cluster: SockJSCluster) => LocalNode;

/** This process as a node of a cluster. */
export class SockJSCluster {
  readonly #node: LocalNode;

  static {
    nodeOf = (cluster) => cluster.#node;
  }

  constructor(options: ClusterOptions) {
    checkClusterOptions(options);
    this.#node = new LocalNode(options);
  }

  /** Random name of this node. '' before it has joined. */
  get id(): NodeId {
    return this.#node.id;
  }

  /** Address of the relay listener, or undefined before it listens. */
  get address(): { readonly host: string; readonly port: number } | undefined {
    return this.#node.address;
  }

  /** Prefix of all keys and topics. */
  get namespace(): string {
    return this.#node.namespace;
  }

  /** Names of all nodes, this one included. */
  get members(): readonly NodeId[] {
    return this.#node.members;
  }

  /** All nodes, this one included. */
  get nodes(): readonly ClusterNodeInfo[] {
    return this.#node.nodes;
  }

  /** Statistics of this node. */
  get stats(): ClusterStats {
    return this.#node.stats;
  }

  /** Resolves when this node has joined, and rejects with the reason if it cannot. */
  ready(): Promise<void> {
    return this.#node.ready();
  }

  /**
   * Returns a group of the routers with a prefix, for example to publish from a process without a router.
   * @throws SockJSError `ERR_SETTING` for an invalid prefix, `ERR_ARGUMENT` for an invalid name
   */
  group(prefix: string, name: string): SockJSGroup {
    checkPrefix(prefix);
    return new SockJSGroup(this.#node.groups(prefix), name);
  }

  /**
   * Sends a text to every connection of the routers with a prefix, on every node.
   * @throws SockJSError `ERR_SETTING` for an invalid prefix, `ERR_MESSAGE_TYPE` if the text is not a string
   */
  broadcast(prefix: string, text: string): void {
    checkPrefix(prefix);
    checkText(text);
    this.#node.groups(prefix).broadcastToAll(text);
  }

  /**
   * Closes the routers of this node that are not closed yet, and leaves the cluster. A second call returns the same
   * promise.
   */
  close(): Promise<void> {
    return this.#node.close();
  }
}

/** Returns the node of a cluster, for the routers. */
export { nodeOf };

/**
 * Joins a cluster. Pass the result to the routers of this node as the setting `cluster`.
 * @throws SockJSError `ERR_SETTING` for an invalid option. `ready()` rejects with it if `listen.host` is missing and the
 * machine has no private address, or several
 */
export function createCluster(options: ClusterOptions): SockJSCluster {
  return new SockJSCluster(options);
}
