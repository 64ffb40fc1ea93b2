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
  type SockJSRouter,
  type SockJSSettings,
  createCluster,
} from '../src/index.ts';
import { EngineFaults } from './faulty-engine.ts';
import { RecordingLogger } from './logger.ts';
import type { TestScope } from './scope.ts';
import { type Echo, createRouter, portOf } from './server.ts';
import { until } from './until.ts';

/** A node without a router. */
export interface TestMemberOptions {
  readonly options?: Partial<ClusterOptions>;
  /** Nodes with the same hub are in one cluster. */
  readonly hub?: MemoryHub;
  readonly faults?: EngineFaults;
  readonly heartbeatInterval?: number;
}

export interface TestNode<C extends SockJSConnection = SockJSConnection> {
  readonly port: number;
  readonly server: Server;
  /** Port of the relay listener. */
  readonly relayPort: number;
  readonly cluster: SockJSCluster;
  readonly router: SockJSRouter<C>;
  readonly logger: RecordingLogger;
}

export interface TestNodeOptions<C extends SockJSConnection> extends TestMemberOptions {
  readonly settings?: SockJSSettings;
  /** Default: `Echo`. */
  readonly connection?: new () => C;
}

function createMember(
  logger: RecordingLogger,
  {
    options = {},
    hub = new MemoryHub(),
    faults = new EngineFaults(),
    heartbeatInterval = 3000,
  }: TestMemberOptions,
): SockJSCluster {
  const engine = faults.wrap(new MemoryEngine(hub));
  const backplane = new EngineBackplane(engine, { heartbeatInterval });
  return createCluster({ backplane, listen: { host: '127.0.0.1' }, logger, ...options });
}

/** Joins a cluster without a router. The node leaves at the end of the test. */
export async function joinCluster(
  scope: TestScope,
  options: TestMemberOptions,
): Promise<SockJSCluster> {
  const cluster = createMember(new RecordingLogger(), options);
  scope.after(() => cluster.close());
  await cluster.ready();
  return cluster;
}

/** Starts a node with a router at `/echo`, which closes at the end of the test. */
export async function startNode<C extends SockJSConnection = Echo>(
  scope: TestScope,
  { settings = {}, connection, ...member }: TestNodeOptions<C>,
): Promise<TestNode<C>> {
  const logger = new RecordingLogger();
  const cluster = createMember(logger, member);
  const all = { cluster, jsessionid: false, ...settings };
  // A test may expect warnings, which `createRouter` would not allow.
  const router = createRouter<C>({ after() {} }, all, connection, { logger });
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
export async function startNodes<C extends SockJSConnection = Echo>(
  scope: TestScope,
  count: number,
  options: TestNodeOptions<C> = {},
): Promise<[TestNode<C>, TestNode<C>, ...TestNode<C>[]]> {
  const { hub = new MemoryHub(), faults = new EngineFaults() } = options;
  const start = (): Promise<TestNode<C>> => startNode(scope, { ...options, hub, faults });
  const nodes = await Promise.all(Array.from({ length: count }, start));
  await until(() => nodes.every(({ cluster }) => cluster.members.length === count), 'all members');
  const [one, two, ...others] = nodes;
  assert.ok(one !== undefined && two !== undefined);
  return [one, two, ...others];
}
