/** Nodes of a cluster in one process, over a memory backplane. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { EngineBackplane } from '../src/backplane/engine-backplane.ts';
import { MemoryEngine, MemoryHub } from '../src/backplane/memory-engine.ts';
import { type SockJSCluster, createCluster } from '../src/cluster/cluster.ts';
import type { SockJSConnection, SockJSRouter, SockJSSettings } from '../src/index.ts';
import { EngineFaults } from './faulty-engine.ts';
import { RecordingLogger } from './logger.ts';
import { createRouter, portOf } from './server.ts';
import { until } from './until.ts';

/** Shorter than the default, so that nodes notice changes fast enough for a test. */
const HEARTBEAT_INTERVAL_MS = 200;

export interface TestNode<C extends SockJSConnection = SockJSConnection> {
  readonly port: number;
  readonly cluster: SockJSCluster;
  readonly router: SockJSRouter<C>;
  readonly logger: RecordingLogger;
}

export interface TestClusterOptions<C extends SockJSConnection> {
  /** Connection class of every node. Default: `Echo`. */
  readonly connection?: new () => C;
  readonly settings?: SockJSSettings;
}

/** A cluster under test. Its router is below `/echo`. */
export class TestCluster<C extends SockJSConnection = SockJSConnection> {
  readonly hub = new MemoryHub();
  readonly #t: TestContext;
  readonly #options: TestClusterOptions<C>;

  constructor(t: TestContext, options: TestClusterOptions<C> = {}) {
    this.#t = t;
    this.#options = options;
  }

  /** Creates a node without a router. It leaves at the end of the test. */
  join(): SockJSCluster {
    const cluster = this.#join(new EngineFaults());
    this.#t.after(() => cluster.close());
    return cluster;
  }

  /** Starts a node. It closes at the end of the test. */
  async start(faults: EngineFaults = new EngineFaults()): Promise<TestNode<C>> {
    const logger = new RecordingLogger();
    const cluster = this.#join(faults);
    const { connection, settings } = this.#options;
    const own = { cluster, jsessionid: false, ...settings };
    const router = createRouter<C>(this.#t, own, connection, { logger });
    this.#t.after(() => cluster.close());
    const server = router.listen(0, '127.0.0.1');
    await once(server, 'listening');
    await cluster.ready();
    return { port: portOf(server), cluster, router, logger };
  }

  /** Starts two or more nodes that know each other. */
  async startAll(count = 2): Promise<[TestNode<C>, TestNode<C>, ...TestNode<C>[]]> {
    const nodes = await Promise.all(Array.from({ length: count }, () => this.start()));
    await until(
      () => nodes.every(({ cluster }) => cluster.members.length === count),
      'all members',
    );
    const [one, two, ...others] = nodes;
    assert.ok(one !== undefined && two !== undefined);
    return [one, two, ...others];
  }

  /** Creates a node. An outage that a test causes is logged, so the lines of the cluster are not checked. */
  #join(faults: EngineFaults): SockJSCluster {
    const logger = new RecordingLogger();
    const engine = faults.wrap(new MemoryEngine(this.hub));
    const backplane = new EngineBackplane(engine, { heartbeatInterval: HEARTBEAT_INTERVAL_MS });
    return createCluster({ backplane, listen: { host: '127.0.0.1' }, logger });
  }
}
