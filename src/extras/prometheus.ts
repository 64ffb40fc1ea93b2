/**
 * `sockjs-server/prometheus`: the statistics of routers as metrics of `prom-client`, an optional peer dependency. The
 * metrics are read from `stats` at each scrape.
 */
/// <reference types="node" preserve="true" />
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Counter, type Registry, Gauge, register } from 'prom-client';
import { describeError } from '../base/logging.ts';
import type { SockJSRouter } from '../api/router.ts';
import type { SockJSStatsDump } from '../base/stats.ts';

/** Reads the values of one metric from the statistics of one router, each with its labels. */
type ReadValues = (
  dump: SockJSStatsDump,
) => readonly (readonly [labels: Record<string, string>, number])[];

interface Metric {
  readonly name: string;
  readonly help: string;
  /** Label in addition to `prefix`. */
  readonly label?: string;
  readonly values: ReadValues;
}

function single(value: (dump: SockJSStatsDump) => number): ReadValues {
  return (dump) => [[{}, value(dump)]];
}

function labelled(
  label: string,
  values: (dump: SockJSStatsDump) => Readonly<Record<string, number>>,
): ReadValues {
  return (dump) => Object.entries(values(dump)).map(([name, value]) => [{ [label]: name }, value]);
}

const GAUGES: readonly Metric[] = [
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

const COUNTERS: readonly Metric[] = [
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

const COLLECT_ERROR = 'The metrics cannot be read.';

type Routers = Iterable<Pick<SockJSRouter, 'prefix' | 'stats'>>;

/** Copies an iterator, which can be read only once. A collection is read again at each scrape. */
function toCollection(routers: Routers): Routers {
  const iterator: unknown = routers[Symbol.iterator]();
  return iterator === routers ? [...routers] : routers;
}

/** Sets a metric to the current values. The values of routers with the same prefix are added up. */
function collect(metric: Gauge | Counter, values: ReadValues, routers: Routers): void {
  metric.reset();
  for (const { prefix, stats } of routers) {
    for (const [labels, value] of values(stats.dump())) metric.inc({ prefix, ...labels }, value);
  }
}

/**
 * Registers the metrics `sockjs_*` of routers, with the label `prefix`. The values of routers with the same prefix are
 * added up. Call it once for each registry.
 * @param routers a collection, which is read at each scrape and may change, or an iterator, which is read at once
 * @param registry by default the global registry of prom-client
 * @returns the registry
 */
export function registerMetrics(routers: Routers, registry: Registry = register): Registry {
  const collection = toCollection(routers);
  for (const [Kind, metrics] of [
    [Gauge, GAUGES],
    [Counter, COUNTERS],
  ] as const) {
    for (const { name, help, label, values } of metrics) {
      const metric: Gauge | Counter = new Kind({
        name,
        help,
        labelNames: label === undefined ? ['prefix'] : ['prefix', label],
        registers: [registry],
        collect: () => collect(metric, values, collection),
      });
    }
  }
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
  registry: Registry = register,
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
