/** This server over HTTP/2 beside the same over HTTP/1.1. */
import { type Case, FULL_YOUNG_GENERATION, type Peer } from './cases.ts';
import { SOCKJS } from './load/dialects.ts';
import { HTTP1_TLS } from './load/http.ts';
import { http2, http2Tls } from './load/http2.ts';
import * as http from './load/http-loads.ts';
import { plainTexts } from './load/inbox.ts';
import type { Load } from './load/measure.ts';
import * as webSocket from './load/websocket-loads.ts';

const CONNECTIONS = [1, 4, 20, 100];
/** WebSockets of a browser, each in a tab. */
export const STREAMS_OF_BROWSER = 20;
/** Streams that a proxy such as HAProxy puts on a connection. */
export const STREAMS_OF_PROXY = 100;
const ECHO = webSocket.echo(plainTexts(32), 1);
const BURSTS = webSocket.echo(plainTexts(32), 16);

const HTTP1: Peer = { name: 'HTTP/1.1', file: 'sockjs-server.ts', dialect: SOCKJS };
const HTTP2: Peer = { name: 'HTTP/2', file: 'sockjs-server-h2.ts', dialect: SOCKJS };

function sharing(clients: number, connections: number): Peer {
  return {
    ...HTTP2,
    name: `HTTP/2, ${connections} ${connections === 1 ? 'connection' : 'connections'}`,
    wire: () => http2(clients / connections),
  };
}

/** @param clients number of WebSockets, divided among the connections */
function connectionPeers(clients: number): Peer[] {
  return [HTTP1, ...CONNECTIONS.map((connections) => sharing(clients, connections))];
}

const PROXIED: readonly Peer[] = [
  { ...HTTP1, proxy: 'http/1.1' },
  { ...HTTP2, proxy: 'h2' },
];
const SECURE: readonly Peer[] = [
  { ...HTTP1, file: 'sockjs-server-tls.ts', wire: () => HTTP1_TLS },
  { ...HTTP2, file: 'sockjs-server-h2-tls.ts', wire: () => http2Tls(STREAMS_OF_BROWSER) },
];
const MANY_STREAMS: readonly Peer[] = [HTTP1, { ...HTTP2, wire: () => http2(STREAMS_OF_PROXY) }];

function timed(id: string, title: string, peers: readonly Peer[], load: Load, goal?: number): Case {
  return { id, title, unit: 'µs', load, peers, goal };
}

function memory(id: string, title: string, load: Load, goal?: number): Case {
  return {
    id,
    title,
    unit: 'KiB',
    load,
    peers: MANY_STREAMS,
    flags: FULL_YOUNG_GENERATION,
    goal,
  };
}

export const HTTP2_CASES: readonly Case[] = [
  timed('h2-echo', 'WebSocket echo, 100 clients', connectionPeers(webSocket.CLIENTS), ECHO),
  timed(
    'h2-broadcast',
    'WebSocket broadcast to 1,000',
    connectionPeers(webSocket.RECEIVERS),
    webSocket.broadcast,
  ),
  timed('h2-proxy-echo', 'WebSocket echo behind HAProxy', PROXIED, ECHO, 0.6),
  timed(
    'h2-proxy-broadcast',
    'WebSocket broadcast behind HAProxy',
    PROXIED,
    webSocket.broadcast,
    0.4,
  ),
  timed('h2-tls-echo', 'WebSocket echo over TLS, 20 per browser', SECURE, ECHO, 0.5),
  timed('h2-tls-burst', 'WebSocket echo over TLS, 20 per browser, 16 in flight', SECURE, BURSTS),
  timed(
    'h2-tls-broadcast',
    'WebSocket broadcast over TLS, 20 per browser',
    SECURE,
    webSocket.broadcast,
    0.5,
  ),
  timed('h2-tls-poll', 'XHR polling over TLS: send and poll', SECURE, http.roundTrip(1), 1.15),
  memory('h2-memory-ws', 'Memory of an idle WebSocket', webSocket.idleMemory, 1.2),
  memory('h2-memory-stream', 'Memory of an idle XHR stream', http.idleMemory),
];
