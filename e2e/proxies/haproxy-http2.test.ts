/**
 * deploy/haproxy.cfg, unchanged, with WebSockets over HTTP/2 between HAProxy and the nodes, and all other transports over
 * HTTP/1.1.
 */
import assert from 'node:assert/strict';
import { type ClientHttp2Session, constants } from 'node:http2';
import { connect } from 'node:net';
import { availableParallelism } from 'node:os';
import { type TestContext, test } from 'node:test';
import tls from 'node:tls';
import {
  extendedConnect,
  http2Connection,
  http2Request,
  http2WebSocket,
} from '../../testkit/http2-client.ts';
import type { Headers } from '../../testkit/raw-http.ts';
import { type RawWebSocket, openWebSocket } from '../../testkit/raw-websocket.ts';
import { poll } from '../../testkit/sockjs-http.ts';
import { newSession } from '../../testkit/transports.ts';
import { until } from '../../testkit/until.ts';
import { CLIENT_IP, FORGED, SERVERS, testBehind } from './contract.ts';
import { type ServerNode, openedAt } from './nodes.ts';
import { CERTIFICATE, HAPROXY_HTTP2 } from './proxies.ts';

const site = testBehind(HAPROXY_HTTP2);

const CLIENTS = 10 * availableParallelism();
/** Each thread of HAProxy has connections of its own. */
const MAX_CONNECTIONS = 2 * availableParallelism();
const CLIENT_ADDRESSES = ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5'];

function countConnections(): number {
  return site.nodes.reduce((sum, node) => sum + node.http2Connections, 0);
}

test('WebSockets of many clients share a few connections to the nodes', async (t) => {
  const open = (): ReturnType<typeof openWebSocket> =>
    openWebSocket(t, site.port, '/echo/websocket');
  const sockets = await Promise.all(Array.from({ length: CLIENTS }, open));
  for (const [index, socket] of sockets.entries()) socket.send(`hello ${index}`);
  for (const [index, socket] of sockets.entries())
    assert.equal(await socket.next(), `hello ${index}`);
  const count = countConnections();
  assert.ok(count >= 1 && count <= MAX_CONNECTIONS, `${count} connections`);
  const clients = (): number => site.nodes.flatMap((node) => node.connections).length;
  await until(() => clients() === CLIENTS, 'the end of all other clients');
  sockets[0]?.raw.close();
  await until(() => clients() === CLIENTS - 1, 'the end of one WebSocket');
  assert.equal(await sockets[1]?.send('still here').next(), 'still here');
});

function countStreams(): number {
  return site.nodes.reduce((sum, node) => sum + node.http2Streams, 0);
}

/** Opens a WebSocket with forged headers. @returns the address that the node has for it */
async function addressAt(t: TestContext, localAddress: string): Promise<string | undefined> {
  const { connection } = await openedAt(site.nodes, async () => {
    const target = { port: site.port, localAddress };
    const headers: Headers = [['Host', `127.0.0.1:${site.port}`], ...FORGED];
    const socket = await openWebSocket(t, target, '/echo/websocket', { headers });
    assert.equal(await socket.send('hello').next(), 'hello');
  });
  return connection.info.ip;
}

test('WebSockets that share a connection have the addresses of their clients', async (t) => {
  for (const address of CLIENT_ADDRESSES) assert.equal(await addressAt(t, address), address);
  const count = countConnections();
  assert.ok(count >= 1 && count <= MAX_CONNECTIONS, `${count} connections`);
});

async function connectHttp2(t: TestContext): Promise<ClientHttp2Session> {
  const { tlsPort = 0 } = site.proxy;
  return http2Connection(t, `https://127.0.0.1:${tlsPort}`, {
    createConnection: () =>
      tls.connect({
        socket: connect({ host: '127.0.0.1', port: tlsPort, localAddress: CLIENT_IP }),
        host: '127.0.0.1',
        ca: CERTIFICATE.cert,
        ALPNProtocols: ['h2'],
      }),
  });
}

test('a WebSocket of a client that uses HTTP/2 too has the address of the client', async (t) => {
  const session = await connectHttp2(t);
  const { opened, connection } = await openedAt(site.nodes, () =>
    http2WebSocket(session, '/echo/websocket'),
  );
  assert.deepEqual([connection.info.ip, connection.info.secure], [CLIENT_IP, true]);
  assert.equal(await opened.send('hello').next(), 'hello');
});

test('only WebSockets reach the nodes over HTTP/2, whatever the client uses', async (t) => {
  const session = await connectHttp2(t);
  const path = `${newSession()}/xhr`;
  const before = countStreams();
  assert.equal((await http2Request(session, { ':method': 'POST', ':path': path })).body, 'o\n');
  assert.equal(await poll(site.port, newSession()), 'o');
  assert.equal(countStreams(), before);
  await http2WebSocket(session, '/echo/websocket');
  assert.equal(countStreams(), before + 1);
  await openWebSocket(t, site.port, '/echo/websocket');
  assert.equal(countStreams(), before + 2);
});

test('a client of HTTP/2 that resets the stream of a WebSocket ends only that one', async (t) => {
  const session = await connectHttp2(t);
  const kept = await http2WebSocket(session, '/echo/websocket');
  const { opened, connection } = await openedAt(site.nodes, async () => {
    const { stream } = await extendedConnect(session, '/echo/websocket');
    return stream;
  });
  opened.close(constants.NGHTTP2_CANCEL);
  assert.equal((await connection.closings.next()).code, 1006);
  assert.equal(await kept.send('still here').next(), 'still here');
});

test('the end of a node ends its WebSockets, and new ones reach the other node', async (t) => {
  const [a, b] = site.nodes;
  const byNode = new Map<ServerNode, RawWebSocket[]>([
    [a, []],
    [b, []],
  ]);
  for (const server of SERVERS) {
    const { opened, node } = await openedAt(site.nodes, async () => {
      const socket = await openWebSocket(t, site.port, `${newSession('/echo', server)}/websocket`);
      assert.equal(await socket.next(), 'o');
      return socket;
    });
    byNode.get(node)?.push(opened);
  }
  for (const sockets of byNode.values()) assert.ok(sockets.length > 0, 'a node has no WebSocket');
  await a.kill();
  for (const socket of byNode.get(a) ?? []) assert.equal((await socket.closed()).code, 1006);
  for (const socket of byNode.get(b) ?? [])
    assert.equal(await socket.send('["still here"]').next(), 'a["still here"]');
  for (const server of SERVERS) {
    const path = `${newSession('/echo', server)}/websocket`;
    assert.equal(await (await openWebSocket(t, site.port, path)).next(), 'o');
  }
  await a.restart();
});
