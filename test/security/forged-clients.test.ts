/** The table of attacks: clients that are not who they say, or far too many. One test a row. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type SockJSSettings, SockJSConnection } from '../../src/index.ts';
import { poll, sendBody } from '../conformance/dialects.ts';
import { newSession } from '../conformance/services.ts';
import { TRANSPORTS, knock, refused } from '../limits/transports.ts';
import { type RequestOptions, ask } from '../support/http.ts';
import { serve } from '../support/service.ts';
import { stillServes } from '../attack-table/help.ts';

type Headers = NonNullable<RequestOptions['headers']>;

class Telling extends SockJSConnection {
  override onOpen(): void {
    this.send(`${this.info.ip} ${this.info.secure ? 'secure' : 'plain'}`);
  }
}

const forwardedFor = (value: string): Headers => [['X-Forwarded-For', value]];
const TRUSTING: SockJSSettings = { trustedProxies: ['loopback'] };

/** Who the server believes the client to be. */
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
  // A proxy writes one of the two, and may pass on the other as the client wrote it.
  [TRUSTING, [...forwardedFor('198.51.100.7'), ['Forwarded', 'for=192.0.2.1']], '127.0.0.1 plain'],
];

test('forged X-Forwarded-For', async (t) => {
  for (const [settings, headers, believed] of FORGED) {
    const proxies = JSON.stringify(settings.trustedProxies ?? 'nobody');
    await t.test(`trusting ${proxies}: ${JSON.stringify(headers)}`, async (sub) => {
      const { port } = await serve(sub, settings, Telling);
      const request = { method: 'POST', path: `${newSession()}/xhr`, headers };
      await ask(port, request);
      assert.deepEqual((await ask(port, request)).body, `a["${believed}"]\n`);
    });
  }
  await t.test('it opens nobody else’s session', async (sub) => {
    const { port } = await serve(sub, TRUSTING);
    const session = newSession();
    const owner = forwardedFor('192.0.2.1');
    await ask(port, { method: 'POST', path: `${session}/xhr`, headers: owner });
    const forged = forwardedFor('192.0.2.1, 198.51.100.7');
    assert.equal((await sendBody(port, session, '["x"]', { headers: forged })).status, 404);
  });
  await t.test('it escapes no limit', async (sub) => {
    const { port, logs } = await serve(sub, { maxSessionsPerAddress: 1 });
    const [xhr] = TRANSPORTS;
    assert.ok(xhr !== undefined);
    await knock(sub, port, xhr, { headers: forwardedFor('192.0.2.1') });
    assert.equal((await refused(port, xhr, { headers: forwardedFor('192.0.2.2') })).status, 503);
    assert.equal(logs.take().length, 1);
  });
});

test('many sessions from one address', async (t) => {
  for (const limit of ['maxSessionsPerAddress', 'maxSessions'] as const) {
    await t.test(limit, async (sub) => {
      const settings = { [limit]: TRANSPORTS.length, trustedProxies: ['loopback'] };
      const { port, router, logs } = await serve(sub, settings);
      // One client of IPv6 has a whole /64 to come from.
      const from = (host: number): Headers => forwardedFor(`2001:db8::${host}`);
      for (const [host, transport] of TRANSPORTS.entries()) {
        await knock(sub, port, transport, { headers: from(host) });
      }
      for (const transport of TRANSPORTS) {
        const { status, head } = await refused(port, transport, { headers: from(99) });
        assert.equal(status, 503);
        assert.equal(head.header('retry-after'), '5');
      }
      assert.equal(router.stats.dump().sessionsActive, TRANSPORTS.length);
      assert.equal(logs.take().length, 1);
      const elsewhere = newSession();
      const headers = forwardedFor('198.51.100.7');
      const { status } = await ask(port, { method: 'POST', path: `${elsewhere}/xhr`, headers });
      assert.equal(status, limit === 'maxSessions' ? 503 : 200);
    });
  }
  const { port } = await serve(t);
  assert.equal(await poll(port, newSession()), 'o');
  await stillServes(port);
});
