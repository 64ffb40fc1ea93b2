/** Attacks of docs/security.md by clients with forged addresses, or too many of them. One test for each row. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type SockJSSettings, SockJSConnection } from '../../src/index.ts';
import { TRANSPORTS, newSession, openRequest } from '../../testkit/transports.ts';
import { assertServes, poll, postBody, requestSession } from '../../testkit/sockjs-http.ts';
import { startRouter } from '../../testkit/server.ts';
import { type RawRequest, httpRequest } from '../../testkit/raw-http.ts';

type Headers = NonNullable<RawRequest['headers']>;

class Telling extends SockJSConnection {
  override onOpen(): void {
    this.send(`${this.info.ip} ${this.info.secure ? 'secure' : 'plain'}`);
  }
}

const forwardedFor = (value: string): Headers => [['X-Forwarded-For', value]];
const TRUSTING: SockJSSettings = { trustedProxies: ['loopback'] };

const FORWARDED: Headers = [['Forwarded', 'for=192.0.2.1;proto=https']];
const OVER_TLS = '198.51.100.7 secure';

/** Returns the client's address as the server sees it. */
const FORGED: readonly (readonly [SockJSSettings, headers: Headers, believed: string])[] = [
  [{}, forwardedFor('192.0.2.1'), '127.0.0.1 plain'],
  [{}, [['Forwarded', 'for=192.0.2.1;proto=https']], '127.0.0.1 plain'],
  [{}, [['X-Real-IP', '192.0.2.1']], '127.0.0.1 plain'],
  [{}, [['X-Forwarded-Proto', 'https']], '127.0.0.1 plain'],
  [{ trustedProxies: ['10.0.0.0/8'] }, forwardedFor('192.0.2.1'), '127.0.0.1 plain'],
  [TRUSTING, forwardedFor('192.0.2.1, 198.51.100.7'), '198.51.100.7 plain'],
  [TRUSTING, forwardedFor('127.0.0.1, 198.51.100.7'), '198.51.100.7 plain'],
  [TRUSTING, forwardedFor('192.0.2.1, nonsense'), '127.0.0.1 plain'],
  [TRUSTING, [['Forwarded', 'for=192.0.2.1, for=198.51.100.7']], '198.51.100.7 plain'],
  // A proxy writes one of the two headers, and may pass on the client's own other one.
  [TRUSTING, [...forwardedFor('198.51.100.7'), ...FORWARDED], '198.51.100.7 plain'],
  [TRUSTING, [...FORWARDED, ...forwardedFor('198.51.100.7')], '198.51.100.7 plain'],
  [
    { ...TRUSTING, forwardedHeader: 'forwarded' },
    [...forwardedFor('192.0.2.1'), ['Forwarded', 'for=198.51.100.7']],
    '198.51.100.7 plain',
  ],
  // A header of the client, and another one of the same name of the proxy.
  [TRUSTING, [...forwardedFor('192.0.2.1'), ...forwardedFor('198.51.100.7')], '198.51.100.7 plain'],
  [TRUSTING, [...FORWARDED, ['Forwarded', 'for=198.51.100.7;proto=wss']], OVER_TLS],
  [TRUSTING, [...forwardedFor('198.51.100.7'), ['X-Forwarded-Proto', 'wss']], OVER_TLS],
];

test('forged X-Forwarded-For', async (t) => {
  for (const [settings, headers, believed] of FORGED) {
    await t.test(`${JSON.stringify(settings)}: ${JSON.stringify(headers)}`, async (sub) => {
      const { port } = await startRouter(sub, settings, Telling);
      const request = { method: 'POST', path: `${newSession()}/xhr`, headers };
      await httpRequest(port, request);
      assert.deepEqual((await httpRequest(port, request)).body, `a["${believed}"]\n`);
    });
  }
  await t.test('it opens no session of another client', async (sub) => {
    const { port } = await startRouter(sub, TRUSTING);
    const session = newSession();
    const owner = forwardedFor('192.0.2.1');
    await httpRequest(port, { method: 'POST', path: `${session}/xhr`, headers: owner });
    const forged = forwardedFor('192.0.2.1, 198.51.100.7');
    assert.equal((await postBody(port, session, '["x"]', { headers: forged })).status, 404);
  });
  await t.test('it escapes no limit', async (sub) => {
    const { port, logger } = await startRouter(sub, { maxSessionsPerAddress: 1 });
    const [xhr] = TRANSPORTS;
    assert.ok(xhr !== undefined);
    await requestSession(sub, port, xhr, { headers: forwardedFor('192.0.2.1') });
    assert.equal(
      (await httpRequest(port, openRequest(xhr, { headers: forwardedFor('192.0.2.2') }))).status,
      503,
    );
    assert.equal(logger.take().length, 1);
  });
});

test('many sessions from one address', async (t) => {
  for (const limit of ['maxSessionsPerAddress', 'maxSessions'] as const) {
    await t.test(limit, async (sub) => {
      const settings = { [limit]: TRANSPORTS.length, trustedProxies: ['loopback'] };
      const { port, router, logger } = await startRouter(sub, settings);
      // One IPv6 client has a whole /64.
      const from = (host: number): Headers => forwardedFor(`2001:db8::${host}`);
      for (const [host, transport] of TRANSPORTS.entries()) {
        await requestSession(sub, port, transport, { headers: from(host) });
      }
      for (const transport of TRANSPORTS) {
        const { status, head } = await httpRequest(
          port,
          openRequest(transport, { headers: from(99) }),
        );
        assert.equal(status, 503);
        assert.equal(head.header('retry-after'), '5');
      }
      assert.equal(router.stats.dump().sessionsActive, TRANSPORTS.length);
      assert.equal(logger.take().length, 1);
      const elsewhere = newSession();
      const headers = forwardedFor('198.51.100.7');
      const { status } = await httpRequest(port, {
        method: 'POST',
        path: `${elsewhere}/xhr`,
        headers,
      });
      assert.equal(status, limit === 'maxSessions' ? 503 : 200);
    });
  }
  const { port } = await startRouter(t);
  assert.equal(await poll(port, newSession()), 'o');
  await assertServes(port);
});
