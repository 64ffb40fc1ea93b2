/** The nodes of a cluster over Redis, or servers without a cluster, each in a process. */
import type { MeasuredServer } from '../load/measure.ts';
import { ServerProcess } from '../server-process.ts';
import type { Query, Results, Usage } from '../servers/measured.ts';

export interface NodesOptions {
  readonly count: number;
  /** In milliseconds. Default: long enough for a whole measurement */
  readonly disconnectDelay?: number;
  readonly flags?: readonly string[];
}

const HEARTBEAT_MS = 25_000;
/** Sessions wait for their next poll while others are measured. */
export const DISCONNECT_DELAY_MS = 60_000;

function sumUsages(usages: readonly Usage[]): Usage {
  return usages.reduce((sum, { user, system }) => ({
    user: sum.user + user,
    system: sum.system + system,
  }));
}

type Sums = { readonly [Name in Query]: (results: readonly Results[Name][]) => Results[Name] };

const SUMS: Sums = {
  usage: sumUsages,
  memory: (all) =>
    all.reduce((sum, { resident, heap }) => ({
      resident: sum.resident + resident,
      heap: sum.heap + heap,
    })),
  relays: (all) => all.reduce((sum, relays) => sum + relays, 0),
  stall: (all) => Math.max(...all),
  'profile-start': () => true,
  'profile-stop': (all) => all.flat(),
};

let clusters = 0;

/** All nodes together. Their CPU times and their memory add up. */
export class Nodes implements MeasuredServer {
  readonly all: readonly ServerProcess[];
  readonly #isCluster: boolean;

  private constructor(all: readonly ServerProcess[], isCluster: boolean) {
    this.all = all;
    this.#isCluster = isCluster;
  }

  static async start(
    redis: string,
    pinned: boolean,
    { count, disconnectDelay = DISCONNECT_DELAY_MS, flags = [] }: NodesOptions,
  ): Promise<Nodes> {
    clusters += 1;
    const args = [redis, `bench-${clusters}`, String(count), String(disconnectDelay)];
    const options = { file: 'cluster-node.ts', heartbeat: HEARTBEAT_MS, pinned, flags, args };
    const start = (): Promise<ServerProcess> => ServerProcess.start(options);
    return new Nodes(await Promise.all(Array.from({ length: count }, start)), true);
  }

  /** Starts servers without a cluster. */
  static async startSeparate(count: number, pinned: boolean): Promise<Nodes> {
    const options = { file: 'sockjs-server.ts', heartbeat: HEARTBEAT_MS, pinned, flags: [] };
    const start = (): Promise<ServerProcess> => ServerProcess.start(options);
    return new Nodes(await Promise.all(Array.from({ length: count }, start)), false);
  }

  get ports(): readonly number[] {
    return this.all.map(({ port }) => port);
  }

  /** Port of the first node. */
  get port(): number {
    return this.ports[0] ?? 0;
  }

  async query<Name extends Query>(name: Name): Promise<Results[Name]> {
    return SUMS[name](await Promise.all(this.all.map((node) => node.query(name))));
  }

  /** Broadcasts on the first node to the clients of all nodes, or on each server without a cluster to its own. */
  broadcast(text: string, receivers: number): void {
    if (this.#isCluster) this.all[0]?.broadcast(text, receivers);
    else for (const server of this.all) server.broadcast(text, receivers / this.all.length);
  }

  watchStalls(resolution: number): void {
    for (const node of this.all) node.watchStalls(resolution);
  }

  async end(): Promise<void> {
    await Promise.all(this.all.map((node) => node.end()));
  }
}
