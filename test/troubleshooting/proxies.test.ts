/** Symptoms of docs/troubleshooting.md: "Behind a proxy". One test for each row. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { SockJSSettings } from '../../src/index.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { connectOfficial, openOfficial } from '../../testkit/official-client.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { createRouter, portOf, startRouter } from '../../testkit/server.ts';
import { startRelay } from '../../testkit/tcp-relay.ts';
import { startHttpProxy } from './http-proxy.ts';

const PUBLIC_HOST = 'app.example.com';

test('pages of your own site get 403 behind the proxy, but not without it', async (t) => {
  const { port, logger } = await startRouter(t);
  const trusting = await startRouter(t, { trustedProxies: ['loopback'] });
  const request = {
    path: '/echo/info',
    headers: [['Origin', `https://${PUBLIC_HOST}`]],
  } as const;
  const page = { ...request, headers: [...request.headers, ['Host', PUBLIC_HOST]] } as const;
  const throughProxy = async (
    target: number,
    change: (host: string) => object,
  ): Promise<number> => {
    const headers = (received: object) => ({ ...received, ...change(PUBLIC_HOST) });
    return (await httpRequest(await startHttpProxy(t, [target], { headers }), page)).status;
  };
  assert.equal((await httpRequest(port, page)).status, 200);
  const forward = (host: string) => ({ host: 'localhost', 'x-forwarded-host': host });
  assert.equal(await throughProxy(port, forward), 403);
  assert.match(logger.take()[0]?.line ?? '', /allowedOrigins/);
  assert.equal(await throughProxy(trusting.port, forward), 200);
  assert.equal(await throughProxy(port, (host) => ({ host })), 200);
});

test('403 `Host not allowed; the setting allowedHosts would admit it.`', async (t) => {
  const request = { path: '/echo/info', headers: [['Host', PUBLIC_HOST]] } as const;
  const respond = async (settings: SockJSSettings): Promise<string> => {
    const logger = new RecordingLogger();
    const router = createRouter(t, settings, undefined, { logger });
    const server = router.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { status, body } = await httpRequest(portOf(server), request);
    const [warning] = logger.take();
    assert.equal(warning?.line.includes('allowedHosts') ?? false, status === 403);
    return status === 403 ? `${status} ${body}` : String(status);
  };
  assert.equal(await respond({}), '403 Host not allowed; the setting allowedHosts would admit it.');
  assert.equal(await respond({ trustedProxies: ['loopback'] }), '200');
  assert.equal(await respond({ allowedHosts: [PUBLIC_HOST] }), '200');
});

test('the client uses `xhr-streaming` and never `websocket`', async (t) => {
  const { port, logger } = await startRouter(t);
  const connect = async (dropsUpgrade: boolean): Promise<unknown> => {
    const proxy = await startHttpProxy(t, [port], { dropsUpgrade });
    return (await openOfficial(t, `http://127.0.0.1:${proxy}/echo`)).transport;
  };
  assert.equal(await connect(true), 'xhr-streaming');
  assert.match(logger.take()[0]?.line ?? '', /without its Upgrade and Connection headers/);
  assert.equal(await connect(false), 'websocket');
});

test('streams never open, and the client ends up polling', async (t) => {
  const { port } = await startRouter(t);
  const transports: ('xhr-streaming' | 'xhr-polling')[] = ['xhr-streaming', 'xhr-polling'];
  const connect = async (buffers: boolean): Promise<unknown> => {
    const proxy = await startHttpProxy(t, [port], { buffers });
    return (await openOfficial(t, `http://127.0.0.1:${proxy}/echo`, { transports })).transport;
  };
  assert.equal(await connect(true), 'xhr-polling');
  assert.equal(await connect(false), 'xhr-streaming');
});

test('`1006` whenever no message was sent for some time', async (t) => {
  const connect = async (heartbeatDelay: number) => {
    const { port } = await startRouter(t, { heartbeatDelay });
    const relay = await startRelay(t, port, { idleTimeout: 500 });
    return openOfficial(t, `http://127.0.0.1:${relay}/echo`, { transports: 'websocket' });
  };
  const closed = await connect(25_000);
  const kept = await connect(100);
  assert.equal((await closed.closed()).code, 1006);
  assert.equal(kept.isOpen, true);
});

test('`1006 Server lost session`, again after each reconnection', async (t) => {
  const nodes = [await startRouter(t), await startRouter(t)];
  const proxy = await startHttpProxy(
    t,
    nodes.map(({ port }) => port),
  );
  const url = `http://127.0.0.1:${proxy}/echo`;
  for (let attempt = 0; attempt < 2; attempt += 1) {
    const client = connectOfficial(t, url, { transports: 'xhr-polling' });
    const { code, reason } = await client.closed();
    assert.deepEqual({ code, reason }, { code: 1006, reason: 'Server lost session' });
  }
});

test('`1006 Sending error: Error: http status 404`', async (t) => {
  const connect = async (settings: object) => {
    const { port } = await startRouter(t, { trustedProxies: ['loopback'], ...settings });
    let count = 0;
    // The client's address is another one for each request, as behind some mobile networks.
    const headers = (received: object) => {
      count += 1;
      return { ...received, 'x-forwarded-for': `198.51.100.${count}` };
    };
    const proxy = await startHttpProxy(t, [port], { headers });
    const url = `http://127.0.0.1:${proxy}/echo`;
    const client = await openOfficial(t, url, { transports: 'xhr-streaming' });
    client.send('hello');
    return client;
  };
  const { code, reason } = await (await connect({})).closed();
  assert.deepEqual(
    { code, reason },
    { code: 1006, reason: 'Sending error: Error: http status 404' },
  );
  assert.equal(await (await connect({ verifyIp: false })).next(), 'hello');
});

test('503 `Too many sessions from this address.`', async (t) => {
  const statuses = async (trustedProxies: readonly string[]): Promise<unknown> => {
    const { port, logger } = await startRouter(t, { maxSessionsPerAddress: 1, trustedProxies });
    let count = 0;
    const headers = (received: object) => {
      count += 1;
      return { ...received, 'x-forwarded-for': `198.51.100.${count}` };
    };
    const proxy = await startHttpProxy(t, [port], { headers });
    const responses: string[] = [];
    for (const id of ['a', 'b']) {
      const request = { method: 'POST', path: `/echo/000/${id}/xhr` };
      const { status, body } = await httpRequest(proxy, request);
      responses.push(`${status} ${body.trim()}`);
    }
    return [...responses, logger.take().some(({ line }) => line.includes('trustedProxies'))];
  };
  assert.deepEqual(await statuses([]), ['200 o', '503 Too many sessions from this address.', true]);
  assert.deepEqual(await statuses(['loopback']), ['200 o', '200 o', false]);
});
