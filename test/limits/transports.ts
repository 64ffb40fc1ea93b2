/** How a session is asked for on every transport, so that one rule can be tested on all of them. */
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import type { TransportName } from '../../src/index.ts';
import { DIALECTS } from '../conformance/dialects.ts';
import { type Answer, HttpConnection, type RequestOptions, ask } from '../support/http.ts';

type Headers = NonNullable<RequestOptions['headers']>;

/** What a request for a session may have besides. */
export interface Extras {
  readonly id?: string;
  readonly query?: string;
  readonly headers?: Headers;
}

export interface Transport {
  readonly name: TransportName;
  readonly isWebSocket: boolean;
  /** The request that opens a session below `/echo`. */
  request(extras?: Extras): RequestOptions;
}

export const UPGRADE: Headers = [
  ['Connection', 'Upgrade'],
  ['Upgrade', 'websocket'],
  ['Sec-WebSocket-Version', '13'],
  ['Sec-WebSocket-Key', 'AAAAAAAAAAAAAAAAAAAAAA=='],
];

function withQuery(path: string, query: string): string {
  if (query === '') return path;
  return `${path}${path.includes('?') ? '&' : '?'}${query}`;
}

function webSocket(name: TransportName, pathOf: (id: string) => string): Transport {
  return {
    name,
    isWebSocket: true,
    request: ({ id = randomUUID(), query = '', headers = [] } = {}) => ({
      path: withQuery(pathOf(id), query),
      headers: [...UPGRADE, ...headers],
    }),
  };
}

const HTTP: readonly Transport[] = DIALECTS.map(({ name, method, target }) => ({
  name,
  isWebSocket: false,
  request: ({ id = randomUUID(), query = '', headers = [] } = {}) => ({
    method,
    path: withQuery(`/echo/000/${id}/${target}`, query),
    headers,
  }),
}));

export const WEBSOCKETS: readonly Transport[] = [
  webSocket('websocket', (id) => `/echo/000/${id}/websocket`),
  webSocket('rawwebsocket', () => '/echo/websocket'),
];

export const TRANSPORTS: readonly Transport[] = [...HTTP, ...WEBSOCKETS];

/** One test for each transport. */
export function overAll(
  rule: string,
  run: (t: TestContext, transport: Transport) => Promise<void>,
  transports = TRANSPORTS,
): void {
  for (const transport of transports) {
    test(`${transport.name}: ${rule}`, (t) => run(t, transport));
  }
}

/** Asks for a session and goes on holding the connection. @returns the status that came */
export async function knock(
  t: TestContext,
  port: number,
  transport: Transport,
  extras?: Extras,
): Promise<{ readonly connection: HttpConnection; readonly status: number }> {
  const connection = new HttpConnection(port);
  t.after(() => connection.close());
  const { status } = await connection.send(transport.request(extras)).readHead();
  return { connection, status };
}

/** Asks for a session that is refused: the whole answer. */
export async function refused(
  port: number,
  transport: Transport,
  extras?: Extras,
): Promise<Answer> {
  return ask(port, transport.request(extras));
}

/** A WebSocket frame of a client, masked with zeros; at most 65,535 bytes. */
export function maskedFrame(opcode: number, payload: string): Buffer {
  const bytes = Buffer.from(payload);
  const length =
    bytes.length < 126 ? [0x80 | bytes.length] : [0xfe, bytes.length >> 8, bytes.length & 0xff];
  return Buffer.concat([Buffer.from([0x80 | opcode, ...length, 0, 0, 0, 0]), bytes]);
}

export const TEXT = 1;
export const PING = 9;
export const PONG = 10;
