/**
 * `sockjs-server/prometheus`: the statistics of routers as metrics of `prom-client`, an optional peer. They
 * are read from `stats` when they are asked for, and cost nothing in between.
 */
/// <reference types="node" preserve="true" />
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Counter, type Registry, Gauge, register } from 'prom-client';
import { describeError } from '../errors.ts';
import type { SockJSRouter } from '../router.ts';
import type { StatsDump } from '../stats.ts';

/** What one metric takes from the statistics of one router: values, each with the labels that tell it from the others. */
type Values = (dump: StatsDump) => readonly (readonly [labels: Record<string, string>, number])[];

interface Metric {
  readonly name: string;
  readonly help: string;
  /** Besides `prefix`. */
  readonly label?: string;
  readonly values: Values;
}

function one(value: (dump: StatsDump) => number): Values {
  return (dump) => [[{}, value(dump)]];
}

function each(
  label: string,
  values: (dump: StatsDump) => Readonly<Record<string, number>>,
): Values {
  return (dump) => Object.entries(values(dump)).map(([name, value]) => [{ [label]: name }, value]);
}

const GAUGES: readonly Metric[] = [
  {
    name: 'sockjs_sessions',
    help: 'Sessions that are open, by transport.',
    label: 'transport',
    values: each('transport', (dump) => ({
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
    help: 'Requests and WebSockets that wait for frames.',
    values: one((dump) => dump.connectionsActive),
  },
  {
    name: 'sockjs_buffered_bytes',
    help: 'Bytes that wait for clients that do not keep up.',
    values: one((dump) => dump.bufferedBytes),
  },
];

const COUNTERS: readonly Metric[] = [
  {
    name: 'sockjs_requests_total',
    help: 'Requests and WebSockets that came in.',
    values: one((dump) => dump.connectionsTotal),
  },
  {
    name: 'sockjs_sessions_opened_total',
    help: 'Sessions that were opened.',
    values: one((dump) => dump.sessionsTotal),
  },
  {
    name: 'sockjs_sessions_closed_total',
    help: 'Sessions that ended, by cause.',
    label: 'cause',
    values: each('cause', (dump) => dump.closed),
  },
  {
    name: 'sockjs_refused_total',
    help: 'Requests that were refused, by reason.',
    label: 'reason',
    values: each('reason', (dump) => dump.refused),
  },
  {
    name: 'sockjs_messages_total',
    help: 'Messages, to clients (sent) and from clients (received).',
    label: 'direction',
    values: each('direction', (dump) => ({
      sent: dump.packetsSentTotal,
      received: dump.packetsRecvTotal,
    })),
  },
  {
    name: 'sockjs_message_bytes_total',
    help: 'Bytes of these messages; of those received, with the JSON around them.',
    label: 'direction',
    values: each('direction', (dump) => ({
      sent: dump.bytesSentTotal,
      received: dump.bytesRecvTotal,
    })),
  },
  {
    name: 'sockjs_messages_dropped_total',
    help: 'Messages that a client did not get because of the policy drop-oldest.',
    values: one((dump) => dump.packetsDroppedTotal),
  },
  {
    name: 'sockjs_throttled_total',
    help: 'Times that a client sent more than maxMessagesPerSecond.',
    values: one((dump) => dump.throttledTotal),
  },
];

const UNREADABLE = 'The metrics cannot be read.';

type Routers = Iterable<Pick<SockJSRouter, 'prefix' | 'stats'>>;

/** A collection as it is at each scrape; but an iterator gives what it has only once. */
function lasting(routers: Routers): Routers {
  const iterator: unknown = routers[Symbol.iterator]();
  return iterator === routers ? [...routers] : routers;
}

/** What the routers say now; of several with one prefix the sum. */
function fill(metric: Gauge | Counter, values: Values, routers: Routers): void {
  metric.reset();
  for (const { prefix, stats } of routers) {
    for (const [labels, value] of values(stats.dump())) metric.inc({ prefix, ...labels }, value);
  }
}

/**
 * Registers the metrics `sockjs_*` of some routers, each with the label `prefix`; routers with one prefix are
 * added up. Once for each registry.
 * @param routers a collection is read at each scrape, so a Set may change; an iterator, here and now
 * @param registry that of your application; by default the global one of prom-client
 */
export function registerMetrics(routers: Routers, registry: Registry = register): Registry {
  const all = lasting(routers);
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
        collect: () => fill(metric, values, all),
      });
    }
  }
  return registry;
}

function warn(error: unknown): void {
  process.emitWarning(`${UNREADABLE} ${describeError(error)}`);
}

/**
 * Registers the metrics of some routers, and answers requests for all that the registry has: with 500 and
 * a warning of the process, if one of them cannot be read. Show it to your Prometheus, not to the world.
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
      response.end(`${UNREADABLE}\n`);
    } else {
      response.writeHead(200, { 'Content-Type': registry.contentType }).end(body);
    }
  };
}
