/**
 * Sends the counters of some routers, its own, and those of their cluster to all clients once per second. A message is
 * a JSON array of samples: first those of the last minutes, then each new one alone.
 */
import {
  type ClusterNodeInfo,
  type ClusterStats,
  SockJSConnection,
  SockJSRouter,
  type SockJSStatsDump,
} from 'sockjs-server';
import { serve } from '../site/serve.ts';

interface Reading {
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Counters by prefix. */
  readonly routers: Readonly<Record<string, SockJSStatsDump>>;
  /** Undefined without a cluster. */
  readonly cluster: ClusterReading | undefined;
}

interface ClusterReading {
  /** Node that has sent the reading. */
  readonly id: string;
  readonly nodes: readonly ClusterNodeInfo[];
  readonly stats: ClusterStats;
}

function readCluster(routers: readonly SockJSRouter[]): ClusterReading | undefined {
  const [cluster] = routers.flatMap(({ settings }) => settings.cluster ?? []);
  return cluster && { id: cluster.id, nodes: cluster.nodes, stats: cluster.stats };
}

const INTERVAL = 1000;
const KEPT = 120;

/** @param watched the routers in addition to the returned one */
export function statsOf(watched: readonly SockJSRouter[]): SockJSRouter {
  const readings: Reading[] = [];

  class StatsConnection extends SockJSConnection {
    override onOpen(): void {
      this.send(JSON.stringify(readings));
    }
  }

  const router = new SockJSRouter(StatsConnection, '/stats');

  function read(): void {
    const dumps = [...watched, router].map(({ prefix, stats }) => [prefix, stats.dump()] as const);
    const routers = Object.fromEntries(dumps);
    const reading: Reading = { time: Date.now(), routers, cluster: readCluster(watched) };
    readings.push(reading);
    if (readings.length > KEPT) readings.shift();
    router.broadcast(router.connections, JSON.stringify([reading]));
  }

  read();
  setInterval(read, INTERVAL).unref();
  return router;
}

// Runs only as a program, because the demo site calls the function. Before Node 24.2, omit the condition.
if (import.meta.main) serve([statsOf([])]);
