/** Nodes of a cluster in this process, over a memory backplane. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Server } from 'node:http';
import { EngineBackplane } from '../src/backplane/engine-backplane.ts';
import { MemoryEngine, MemoryHub } from '../src/backplane/memory-engine.ts';
import {
  type ClusterOptions,
  type SockJSCluster,
  type SockJSConnection,
  SockJSRouter,
  type SockJSSettings,
  createCluster,
} from '../src/index.ts';
import { EngineFaults } from './faulty-engine.ts';
import { RecordingLogger } from './logger.ts';
import type { TestScope } from './scope.ts';
import { Echo, portOf } from './server.ts';
import { until } from './until.ts';

export interface TestNode {
  readonly port: number;
  readonly server: Server;
  /** Port of the relay listener. */
  readonly relayPort: number;
  readonly cluster: SockJSCluster;
  readonly router: SockJSRouter;
  readonly logger: RecordingLogger;
}

export interface TestNodeOptions {
  readonly settings?: SockJSSettings;
  readonly connection?: new () => SockJSConnection;
  readonly options?: Partial<ClusterOptions>;
  /** Nodes with the same hub are in one cluster. */
  readonly hub?: MemoryHub;
  readonly faults?: EngineFaults;
  readonly heartbeatInterval?: number;
}

/** Starts a node with a router at `/echo`, which closes at the end of the test. */
export async function startNode(
  scope: TestScope,
  {
    settings = {},
    connection = Echo,
    options = {},
    hub = new MemoryHub(),
    faults = new EngineFaults(),
    heartbeatInterval = 3000,
  }: TestNodeOptions,
): Promise<TestNode> {
  const logger = new RecordingLogger();
  const engine = faults.wrap(new MemoryEngine(hub));
  const cluster = createCluster({
    backplane: new EngineBackplane(engine, { heartbeatInterval }),
    listen: { host: '127.0.0.1' },
    logger,
    ...options,
  });
  const all = { cluster, logger, jsessionid: false, ...settings };
  const router = new SockJSRouter(connection, '/echo', all);
  const server = router.listen(0, '127.0.0.1');
  await once(server, 'listening');
  scope.after(async () => {
    await router.close({ timeout: 100 });
    await cluster.close();
  });
  await cluster.ready();
  const relayPort = cluster.address?.port ?? 0;
  return { port: portOf(server), server, relayPort, cluster, router, logger };
}

/** Starts nodes of one cluster, and waits until they know each other. */
export async function startNodes(
  scope: TestScope,
  count: number,
  options: TestNodeOptions = {},
): Promise<[TestNode, TestNode, ...TestNode[]]> {
  const { hub = new MemoryHub(), faults = new EngineFaults() } = options;
  const start = (): Promise<TestNode> => startNode(scope, { ...options, hub, faults });
  const nodes = await Promise.all(Array.from({ length: count }, start));
  await until(() => nodes.every(({ cluster }) => cluster.members.length === count), 'all members');
  const [one, two, ...others] = nodes;
  assert.ok(one !== undefined && two !== undefined);
  return [one, two, ...others];
}
