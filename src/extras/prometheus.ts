/**
 * `sockjs-server/prometheus`: the statistics of routers and clusters as metrics of `prom-client`, an optional peer dependency. The
 * metrics are read from `stats` at each scrape.
 */
/// <reference types="node" preserve="true" />
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Counter, type Registry, Gauge, register as globalRegistry } from 'prom-client';
import { describeError } from '../base/logging.ts';
import type { SockJSRouter } from '../api/router.ts';
import type { SockJSStatsDump } from '../base/stats.ts';
import type { SockJSCluster } from '../cluster/cluster.ts';
import type { ClusterStats } from '../cluster/cluster-stats.ts';

/** Reads the values of one metric from the statistics of one router or cluster, each with its labels. */
type ReadValues<Stats> = (
  stats: Stats,
) => readonly (readonly [labels: Record<string, string>, number])[];

interface Metric<Stats> {
  readonly name: string;
  readonly help: string;
  /** Label in addition to `prefix` or `namespace`. */
  readonly label?: string;
  readonly values: ReadValues<Stats>;
}

function single<Stats>(value: (stats: Stats) => number): ReadValues<Stats> {
  return (stats) => [[{}, value(stats)]];
}

function labelled<Stats>(
  label: string,
  values: (stats: Stats) => Readonly<Record<string, number>>,
): ReadValues<Stats> {
  return (stats) =>
    Object.entries(values(stats)).map(([name, value]) => [{ [label]: name }, value]);
}

const GAUGES: readonly Metric<SockJSStatsDump>[] = [
  {
    name: 'sockjs_sessions',
    help: 'Open sessions, by transport.',
    label: 'transport',
    values: labelled('transport', (dump) => ({
      websocket: dump.transpWebsocket,
      rawwebsocket: dump.transpRawwebsocket,
      xhr: dump.transpXhr,
      xhr_streaming: dump.transpXhrStreaming,
      eventsource: dump.transpEventsource,
      htmlfile: dump.transpHtmlfile,
      jsonp: dump.transpJsonp,
    })),
  },
  {
    name: 'sockjs_receivers',
    help: 'Receiving requests and WebSockets that are attached to a session.',
    values: single((dump) => dump.connectionsActive),
  },
  {
    name: 'sockjs_buffered_bytes',
    help: 'Buffered bytes: output for slow clients, incomplete messages and bodies, and delayed input.',
    label: 'kind',
    values: labelled('kind', (dump) => dump.buffered),
  },
];

const COUNTERS: readonly Metric<SockJSStatsDump>[] = [
  {
    name: 'sockjs_requests_total',
    help: 'Requests and upgrades of every kind.',
    values: single((dump) => dump.connectionsTotal),
  },
  {
    name: 'sockjs_sessions_opened_total',
    help: 'Sessions that have opened.',
    values: single((dump) => dump.sessionsTotal),
  },
  {
    name: 'sockjs_sessions_closed_total',
    help: 'Ended sessions, by cause.',
    label: 'cause',
    values: labelled('cause', (dump) => dump.closed),
  },
  {
    name: 'sockjs_refused_total',
    help: 'Refused requests, by reason.',
    label: 'reason',
    values: labelled('reason', (dump) => dump.refused),
  },
  {
    name: 'sockjs_messages_total',
    help: 'Messages, to clients (sent) and from clients (received).',
    label: 'direction',
    values: labelled('direction', (dump) => ({
      sent: dump.packetsSentTotal,
      received: dump.packetsRecvTotal,
    })),
  },
  {
    name: 'sockjs_message_bytes_total',
    help: 'Bytes of these messages. Received bytes include the JSON around the messages.',
    label: 'direction',
    values: labelled('direction', (dump) => ({
      sent: dump.bytesSentTotal,
      received: dump.bytesRecvTotal,
    })),
  },
  {
    name: 'sockjs_messages_dropped_total',
    help: 'Messages that the policy drop-oldest has dropped.',
    values: single((dump) => dump.packetsDroppedTotal),
  },
  {
    name: 'sockjs_evictions_total',
    help: 'Buffers that were evicted because their client held the most when a memory limit was exceeded.',
    values: single((dump) => dump.evictionsTotal),
  },
  {
    name: 'sockjs_throttled_total',
    help: 'Pauses of clients that exceeded maxMessagesPerSecond or maxConcurrentHandlers.',
    values: single((dump) => dump.throttledTotal),
  },
];

const CLUSTER_GAUGES: readonly Metric<ClusterStats>[] = [
  {
    name: 'sockjs_cluster_backplane_up',
    help: '1 while this node can use the backplane.',
    values: single(({ backplaneUp }) => Number(backplaneUp)),
  },
  {
    name: 'sockjs_cluster_members',
    help: 'Nodes of the cluster, as this node sees them.',
    values: single(({ members }) => members),
  },
  {
    name: 'sockjs_cluster_claims',
    help: 'HTTP sessions that this node has claimed.',
    values: single(({ claims }) => claims),
  },
];

const CLUSTER_COUNTERS: readonly Metric<ClusterStats>[] = [
  {
    name: 'sockjs_cluster_relayed_total',
    help: 'Relayed requests, from other nodes (in) and to them (out).',
    label: 'direction',
    values: labelled('direction', ({ relayedIn, relayedOut }) => ({
      in: relayedIn,
      out: relayedOut,
    })),
  },
  {
    name: 'sockjs_cluster_lookups_total',
    help: 'Claims and look-ups of owners in the backplane.',
    values: single(({ lookups }) => lookups),
  },
  {
    name: 'sockjs_cluster_owners_lost_total',
    help: 'Requests of sessions whose owner was gone.',
    values: single(({ ownersLost }) => ownersLost),
  },
  {
    name: 'sockjs_cluster_lost_publishes_total',
    help: 'Messages that could not be published to the other nodes.',
    values: single(({ lostPublishes }) => lostPublishes),
  },
];

const COLLECT_ERROR = 'The metrics cannot be read.';

type Routers = Iterable<Pick<SockJSRouter, 'prefix' | 'settings' | 'stats'>>;

/** Statistics with the label of their router or cluster. */
type Source<Stats> = readonly [labels: Record<string, string>, stats: Stats];

/** Copies an iterator, which can be read only once. A collection is read again at each scrape. */
function toCollection(routers: Routers): Routers {
  const iterator: unknown = routers[Symbol.iterator]();
  return iterator === routers ? [...routers] : routers;
}

function readRouters(routers: Routers): readonly Source<SockJSStatsDump>[] {
  return [...routers].map(({ prefix, stats }) => [{ prefix }, stats.dump()]);
}

/** Returns the statistics of each cluster once, however many routers it has. */
function readClusters(routers: Routers): readonly Source<ClusterStats>[] {
  const clusters = new Set([...routers].map(({ settings }) => settings.cluster));
  return [...clusters]
    .filter((cluster): cluster is SockJSCluster => cluster !== undefined)
    .map(({ namespace, stats }) => [{ namespace }, stats]);
}

/**
 * Registers metrics with their current values at each scrape. Values with the same labels are added up.
 * @param sourceLabel label that every metric has
 */
function register<Stats>(
  registry: Registry,
  Kind: typeof Counter | typeof Gauge,
  metrics: readonly Metric<Stats>[],
  sourceLabel: string,
  read: () => readonly Source<Stats>[],
): void {
  for (const { name, help, label, values } of metrics) {
    const metric: Gauge | Counter = new Kind({
      name,
      help,
      labelNames: label === undefined ? [sourceLabel] : [sourceLabel, label],
      registers: [registry],
      collect() {
        metric.reset();
        for (const [source, stats] of read())
          for (const [labels, value] of values(stats)) metric.inc({ ...source, ...labels }, value);
      },
    });
  }
}

/**
 * Registers the metrics `sockjs_*` of routers, with the label `prefix`, and the metrics `sockjs_cluster_*` of their
 * clusters, with the label `namespace`. The values of routers with the same prefix are added up. Call it once for each
 * registry.
 * @param routers a collection, which is read at each scrape and may change, or an iterator, which is read at once
 * @param registry by default the global registry of prom-client
 * @returns the registry
 */
export function registerMetrics(routers: Routers, registry: Registry = globalRegistry): Registry {
  const collection = toCollection(routers);
  const ofRouters = (): readonly Source<SockJSStatsDump>[] => readRouters(collection);
  const ofClusters = (): readonly Source<ClusterStats>[] => readClusters(collection);
  register(registry, Gauge, GAUGES, 'prefix', ofRouters);
  register(registry, Counter, COUNTERS, 'prefix', ofRouters);
  register(registry, Gauge, CLUSTER_GAUGES, 'namespace', ofClusters);
  register(registry, Counter, CLUSTER_COUNTERS, 'namespace', ofClusters);
  return registry;
}

function warn(error: unknown): void {
  process.emitWarning(`${COLLECT_ERROR} ${describeError(error)}`);
}

/**
 * Registers the metrics of routers, and returns a request handler that serves all metrics of the registry. When a
 * collector throws, the handler responds with 500 and emits a process warning. Metrics are not public: serve them on an
 * internal address.
 * @param routers a collection, which is read at each scrape and may change, or an iterator, which is read at once
 * @param registry by default the global registry of prom-client
 *
 * @example
 * createServer(metricsHandler([router])).listen(9090, '127.0.0.1');
 */
export function metricsHandler(
  routers: Routers,
  registry: Registry = globalRegistry,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  registerMetrics(routers, registry);
  return async (_request, response) => {
    const body = await registry.metrics().catch(warn);
    if (response.headersSent) return;
    if (body === undefined) {
      response.writeHead(500, { 'Content-Type': 'text/plain; charset=utf-8' });
      response.end(`${COLLECT_ERROR}\n`);
    } else {
      response.writeHead(200, { 'Content-Type': registry.contentType }).end(body);
    }
  };
}
