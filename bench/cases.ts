/** Measured cases with their servers and goals. */
import { BARE, type Dialect, ENGINE_IO, SOCKET_IO, SOCKJS } from './load/dialects.ts';
import * as http from './load/http-loads.ts';
import { type Texts, jsonTexts, plainTexts } from './load/inbox.ts';
import type { Load } from './load/measure.ts';
import * as webSocket from './load/websocket-loads.ts';
import type { Wire } from './load/wire.ts';
import type { BackendProtocol } from './proxy.ts';

export interface Peer {
  readonly name: string;
  /** Name of its file in `servers/`. */
  readonly file: string;
  readonly dialect: Dialect;
  /** Creates the clients' side of a measurement. Default: HTTP/1.1 without TLS */
  readonly wire?: () => Wire;
  /** Protocol between HAProxy and the server. Default: no proxy */
  readonly proxy?: BackendProtocol;
  /** Binary of Node. Default: that of the benchmark */
  readonly node?: string;
}

export type Unit = 'µs' | 'KiB' | 'ms/s';

export interface Case {
  readonly id: string;
  readonly title: string;
  readonly unit: Unit;
  /** Maximal cost: a ratio to the first peer, or with `absolute` in the unit of the case. */
  readonly goal?: number | undefined;
  readonly absolute?: boolean;
  readonly load: Load;
  /** The one to which the others are compared comes first. */
  readonly peers: readonly Peer[];
  /** Measures heartbeats. */
  readonly idles?: boolean;
  /** Flags of Node. */
  readonly flags?: readonly string[];
}

/**
 * Starts V8's young generation at its full size. It grows to at most 48 MiB while sessions open, however many there
 * are, and would make up half of their measured memory.
 */
export const FULL_YOUNG_GENERATION = ['--min-semi-space-size=16', '--max-semi-space-size=16'];

export const OURS = 'sockjs-server';

const ORIGINAL: Peer = { name: 'sockjs', file: 'sockjs.ts', dialect: SOCKJS };
const DROP_IN: Peer = { name: 'drop-in', file: 'drop-in.ts', dialect: SOCKJS };
const SHARED: readonly Peer[] = [
  { name: OURS, file: 'sockjs-server.ts', dialect: SOCKJS },
  ORIGINAL,
];
const WEBSOCKET: readonly Peer[] = [
  { name: 'bare ws', file: 'bare-ws.ts', dialect: BARE },
  ...SHARED,
  { name: 'socket.io', file: 'socket.io.ts', dialect: SOCKET_IO },
  { name: 'engine.io', file: 'engine.io.ts', dialect: ENGINE_IO },
];
const XHR: readonly Peer[] = [
  { name: 'bare node:http', file: 'bare-http.ts', dialect: SOCKJS },
  ...SHARED,
];

function webSocketCase(id: string, title: string, goal: number, load: Load): Case {
  return { id, title, unit: 'µs', goal, load, peers: WEBSOCKET };
}

function xhrCase(id: string, title: string, goal: number, load: Load): Case {
  return { id, title, unit: 'µs', goal, load, peers: XHR };
}

function echo(id: string, title: string, texts: Texts, goals: [number, number]): Case[] {
  return [
    webSocketCase(id, `WebSocket echo, ${title}, 1 in flight`, goals[0], webSocket.echo(texts, 1)),
    webSocketCase(
      `${id}-burst`,
      `WebSocket echo, ${title}, 16 in flight`,
      goals[1],
      webSocket.echo(texts, 16),
    ),
  ];
}

/** This server beside others. The first of them is the bare one. */
export const CASES: readonly Case[] = [
  ...echo('ws-echo-32', '32 B', plainTexts(32), [1.1, 0.45]),
  ...echo('ws-echo-1k', '1 KiB', plainTexts(1024), [1.05, 0.85]),
  ...echo('ws-echo-json', '512 B of JSON', jsonTexts(512), [1.4, 1.4]),
  webSocketCase('ws-broadcast', 'WebSocket broadcast of 100 B to 1,000', 0.8, webSocket.broadcast),
  webSocketCase('ws-open', 'WebSocket opened, first frame, closed', 0.95, webSocket.open),
  xhrCase('xhr-poll', 'XHR polling: send and poll', 1.15, http.roundTrip(1)),
  xhrCase('xhr-send-10', 'XHR polling: send 10 messages, and poll', 1.15, http.roundTrip(10)),
  xhrCase('xhr-stream-echo', 'XHR streaming echo', 1.1, http.streamEcho),
  xhrCase(
    'xhr-stream-broadcast',
    'XHR streaming broadcast of 100 B to 1,000',
    0.85,
    http.broadcast('xhr_streaming'),
  ),
  xhrCase(
    'xhr-poll-broadcast',
    'XHR polling broadcast of 100 B to 1,000',
    1.15,
    http.broadcast('xhr'),
  ),
  xhrCase('xhr-open', 'Session opened over XHR', 1.25, http.openSession),
  {
    id: 'memory-ws',
    title: 'Memory of an idle WebSocket session',
    unit: 'KiB',
    goal: 6.5,
    absolute: true,
    load: webSocket.idleMemory,
    peers: WEBSOCKET,
    flags: FULL_YOUNG_GENERATION,
  },
  {
    id: 'memory-stream',
    title: 'Memory of an idle XHR streaming session',
    unit: 'KiB',
    goal: 13,
    absolute: true,
    load: http.idleMemory,
    peers: XHR,
    flags: FULL_YOUNG_GENERATION,
  },
  {
    id: 'idle',
    title: 'Idle WebSocket sessions with heartbeats',
    unit: 'ms/s',
    goal: 10,
    absolute: true,
    load: webSocket.idleTime,
    peers: WEBSOCKET,
    idles: true,
  },
];

/** Maximal costs of the drop-in by case: ratios to `sockjs`. */
const DROP_IN_GOALS: Readonly<Record<string, number>> = {
  'ws-echo-32': 0.9,
  'ws-echo-32-burst': 0.25,
  'ws-broadcast': 0.9,
  'xhr-poll': 0.65,
  'memory-ws': 0.5,
};

/** The same cases with one program on npm `sockjs` and on the drop-in. */
export const DROP_IN_CASES: readonly Case[] = CASES.map((tested) => {
  const { id, title, unit, load, idles = false, flags = [] } = tested;
  return {
    id,
    title,
    unit,
    load,
    idles,
    flags,
    goal: DROP_IN_GOALS[id],
    peers: [ORIGINAL, DROP_IN],
  };
});
