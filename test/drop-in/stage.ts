/** Servers, clients and records of one run of a scenario on one side. Everything ends with the run. */
import { randomUUID } from 'node:crypto';
import { type Server, createServer } from 'node:http';
import { type RawRequest, type RawResponse, httpRequest } from '../../testkit/raw-http.ts';
import type { TestScope } from '../../testkit/scope.ts';
import { startServer } from '../../testkit/server.ts';
import type { Transport } from '../../testkit/transports.ts';
import { until } from '../../testkit/until.ts';
import type { LegacyConnection, LegacyOptions, LegacyServer } from './legacy.ts';
import { Peer, type PeerOptions } from './peer.ts';
import type { Json } from './scenario.ts';
import type { Side } from './sides.ts';

/** Time after which the original emits `close` over HTTP. Longer than any pause between two polls of a client. */
const DISCONNECT_DELAY_MS = 2000;

const OPTIONS: LegacyOptions = { prefix: '/echo', disconnect_delay: DISCONNECT_DELAY_MS };

/** Headers that differ from run to run. */
const VOLATILE_HEADERS = new Set(['date', 'keep-alive', 'connection']);

/** Groups of headers that only the scenarios about them compare. */
const HEADER_GROUPS = {
  cors: /^(?:access-control-|vary$)/,
  framing: /^(?:transfer-encoding|content-length)$/,
  /** Headers that the drop-in adds, and the ETag, which depends on them. */
  added: /^(?:x-accel-buffering|content-disposition|content-security-policy|etag)$/,
} as const;

export type HeaderGroup = keyof typeof HEADER_GROUPS;

/** Error responses have other texts and headers, which one scenario compares. */
const ERROR_HEADERS = /^(?:allow|set-cookie)$/;

export interface Service {
  readonly server: LegacyServer;
  readonly http: Server;
  readonly port: number;
  /** All connections so far. */
  readonly connections: LegacyConnection[];
  /** Log lines, as `severity: line`. */
  readonly log: string[];
}

export interface ServeOptions {
  readonly options?: LegacyOptions;
  /** Listener of `connection`. It may be called with anything that the package emits. */
  readonly onConnection?: (connection: LegacyConnection) => unknown;
}

/** Returns the part of a header that has a meaning, without dates and without the order of methods. */
function comparable(name: string, value: string): string {
  if (name === 'expires') return 'DATE';
  return name === 'allow' ? value.split(', ').toSorted().join(', ') : value;
}

/** Calls a function, and returns its result, or the error that it throws. */
export function outcomeOf(action: () => unknown): Json {
  try {
    return jsonOf(action());
  } catch (error) {
    return `throws ${String(error)}`;
  }
}

/** Returns a value as JSON has it. Functions, buffers and undefined become a text. */
export function jsonOf(value: unknown): Json {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return value;
  if (Buffer.isBuffer(value)) return `Buffer ${value.toString('hex')}`;
  if (Array.isArray(value)) return value.map((item) => jsonOf(item));
  if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, jsonOf(item)]));
  }
  return typeof value === 'object' ? `a ${value.constructor.name}` : typeof value;
}

/** A session of a client, and its connection at the server. */
export interface OpenSession {
  readonly service: Service;
  readonly peer: Peer;
  readonly connection: LegacyConnection;
}

export class Stage implements TestScope {
  readonly side: Side;
  readonly transport: Transport;
  readonly #cleanups: (() => void | Promise<void>)[] = [];
  readonly #names = new Map<string, string>();

  constructor(side: Side, transport: Transport) {
    this.side = side;
    this.transport = transport;
  }

  after(cleanup: () => void | Promise<void>): void {
    this.#cleanups.push(cleanup);
  }

  /** Ends everything that the run has started, the newest first. */
  async close(): Promise<void> {
    for (const cleanup of this.#cleanups.toReversed()) await cleanup();
  }

  /** Starts a server with handlers at `/echo`. */
  async serve({ options = {}, onConnection }: ServeOptions = {}): Promise<Service> {
    const connections: LegacyConnection[] = [];
    const log: string[] = [];
    const server = this.side.sockjs.createServer({
      ...OPTIONS,
      log: (severity: string, line: string) => log.push(`${severity}: ${line}`),
      ...options,
    });
    server.on('connection', (connection: LegacyConnection) => {
      connections.push(connection);
      onConnection?.(connection);
    });
    const http = createServer((_request, response) => response.end('the application'));
    server.installHandlers(http);
    const port = await this.listen(http);
    return { server, http, port, connections, log };
  }

  /** Starts an HTTP server. @returns its port */
  async listen(http: Server): Promise<number> {
    const port = await startServer(this, http);
    this.#names.set(`:${port}`, ':PORT');
    return port;
  }

  /** Connects a client over the transport of this run. */
  connect(service: { readonly port: number }, options: PeerOptions = {}): Peer {
    const session = options.session ?? this.newSession();
    const peer = new Peer(options.transport ?? this.transport, service.port, {
      ...options,
      session,
    });
    this.after(() => peer.abort());
    return peer;
  }

  /** Starts a server, and opens a session on it. */
  async open(server: ServeOptions = {}, client: PeerOptions = {}): Promise<OpenSession> {
    const service = await this.serve(server);
    const peer = this.connect(service, client);
    await peer.saw('open');
    return { service, peer, connection: await this.connection(service) };
  }

  /** Returns the URL of a new session. Records show the session id as SESSION. */
  newSession(prefix = '/echo'): string {
    const id = randomUUID();
    this.#names.set(id, 'SESSION');
    return `${prefix}/000/${id}`;
  }

  /** Waits for a condition. @returns its first truthy value */
  async until<T>(condition: () => T): ReturnType<typeof until<T>> {
    return until(condition, 'a condition of the scenario');
  }

  /** Waits for the connection number `index` of a service. */
  async connection(service: Service, index = 0): Promise<LegacyConnection> {
    await until(() => service.connections.length > index, `connection ${index}`);
    const connection = service.connections[index];
    if (connection === undefined) throw new Error('unreachable');
    return connection;
  }

  /** Sends a request on its own connection. */
  async request(service: { readonly port: number }, request: RawRequest): Promise<RawResponse> {
    return httpRequest(service.port, request);
  }

  /**
   * Returns a response as an observation.
   * @param groups groups of headers to include. With `errors`, an error response has its text and all its headers
   */
  describe(
    { head, status, body }: RawResponse,
    ...groups: readonly (HeaderGroup | 'errors')[]
  ): Json {
    const isError = status >= 400 && !groups.includes('errors');
    const isCompared = (name: string): boolean => {
      if (VOLATILE_HEADERS.has(name)) return false;
      if (isError) return ERROR_HEADERS.test(name);
      return Object.entries(HEADER_GROUPS).every(
        ([group, pattern]) => groups.some((wanted) => wanted === group) || !pattern.test(name),
      );
    };
    const headers = head.headers
      .map(([name, value]) => [name.toLowerCase(), value] as const)
      .filter(([name]) => isCompared(name))
      .map(([name, value]) => `${name}: ${comparable(name, value)}`)
      .toSorted();
    return isError ? { status, headers } : { status, headers, body: this.#describeBody(body) };
  }

  /** Returns a body as a text, and JSON as an object, because the order of its members has no meaning. */
  #describeBody(body: string): Json {
    const text = this.normalize(body);
    return text.startsWith('{') ? (JSON.parse(text) as Json) : text;
  }

  /** Replaces ids, ports, times and paths, which differ from run to run. */
  normalize(text: string): string {
    let result = text;
    for (const [value, name] of this.#names) result = result.replaceAll(value, name);
    return result
      .replace(/ \d+ms /, ' N ms ')
      .replace(/"entropy":\d+/, '"entropy":"N"')
      .replace(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID');
  }
}

/** Records the events of a connection in order, with their arguments and the state in which they come. */
export function recordEvents(connection: LegacyConnection): string[] {
  const events: string[] = [];
  for (const name of ['data', 'end', 'close', 'error', 'drain']) {
    connection.on(name, (...args: unknown[]) => {
      const values = args.map((arg) => JSON.stringify(jsonOf(arg))).join(', ');
      events.push(`${name}(${values}) in state ${connection.readyState}`);
    });
  }
  return events;
}

/** Waits until the events of a connection contain `close`, and returns them. */
export async function untilClosed(events: readonly string[]): Promise<readonly string[]> {
  await until(() => events.some((event) => event.startsWith('close')), 'the event close', {
    state: () => events,
  });
  return events;
}
