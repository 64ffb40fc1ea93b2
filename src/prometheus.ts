/**
 * `sockjs-server/prometheus`: the statistics of routers as metrics of `prom-client`, an optional peer. They
 * are read from `stats` when they are asked for, and cost nothing in between.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Counter, type Registry, Gauge, register } from 'prom-client';
import type { SockJSRouter } from './router.ts';
import type { StatsDump } from './stats.ts';

interface Reading {
  readonly prefix: string;
  readonly dump: StatsDump;
}

/** What one metric takes from one reading: values, each with the labels that tell it from the others. */
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

type Routers = Iterable<Pick<SockJSRouter, 'prefix' | 'stats'>>;

function read(routers: Routers): Reading[] {
  return Array.from(routers, ({ prefix, stats }) => ({ prefix, dump: stats.dump() }));
}

function fill(
  routers: Routers,
  { values }: Metric,
  set: (labels: Record<string, string>, value: number) => void,
): void {
  for (const { prefix, dump } of read(routers)) {
    for (const [labels, value] of values(dump)) set({ prefix, ...labels }, value);
  }
}

function labelNamesOf({ label }: Metric): string[] {
  return label === undefined ? ['prefix'] : ['prefix', label];
}

/**
 * Registers the metrics `sockjs_*` of some routers, each with the label `prefix`. Once for each registry.
 * @param registry that of your application; by default the global one of prom-client
 */
export function registerMetrics(routers: Routers, registry: Registry = register): Registry {
  for (const metric of GAUGES) {
    const { name, help } = metric;
    const gauge = new Gauge({
      name,
      help,
      labelNames: labelNamesOf(metric),
      registers: [registry],
      collect: () => fill(routers, metric, (labels, value) => gauge.set(labels, value)),
    });
  }
  for (const metric of COUNTERS) {
    const { name, help } = metric;
    const counter = new Counter({
      name,
      help,
      labelNames: labelNamesOf(metric),
      registers: [registry],
      collect: () => {
        counter.reset();
        fill(routers, metric, (labels, value) => counter.inc(labels, value));
      },
    });
  }
  return registry;
}

/**
 * Registers the metrics of some routers, and answers requests for all that the registry has. Show it to
 * your Prometheus, not to the world.
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
    const body = await registry.metrics();
    response.writeHead(200, { 'Content-Type': registry.contentType }).end(body);
  };
}
