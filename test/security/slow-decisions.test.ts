import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RawHttpConnection, httpRequest } from '../../testkit/raw-http.ts';
import { startRouter } from '../../testkit/server.ts';
import { newSession } from '../../testkit/transports.ts';
import { until } from '../../testkit/until.ts';

const PROXIED = { trustedProxies: ['loopback'] };

function from(address: string): readonly (readonly [string, string])[] {
  return [['X-Forwarded-For', address]];
}

test('calls of authorize that never settle', async (t) => {
  let calls = 0;
  const { port, logger, router } = await startRouter(t, {
    ...PROXIED,
    // Longer than the attack takes on a loaded machine.
    authorizeTimeout: 20_000,
    maxPendingDecisions: 200,
    authorize: (request) => {
      if (request.getArgument('attack') === undefined) return 'a user';
      calls += 1;
      return new Promise<never>(() => {});
    },
  });
  const open = { method: 'POST', path: `${newSession()}/xhr` };

  await t.test('connecting and disconnecting in a loop starts no calls without limit', async () => {
    for (let count = 0; count < 300; count += 1) {
      const attacker = new RawHttpConnection(port);
      const path = `${newSession()}/xhr?attack=1`;
      attacker.send({ method: 'POST', path, headers: from('192.0.2.1') });
      if (count < 100) await until(() => calls > count, 'the call');
      else assert.equal((await attacker.readHead()).status, 503);
      attacker.abort();
    }
    assert.equal(calls, 100);
    assert.equal(router.stats.dump().refused.pendingLimit, 200);
  });

  await t.test('clients of other addresses are served meanwhile', async () => {
    const { status, body } = await httpRequest(port, { ...open, headers: from('192.0.2.2') });
    assert.deepEqual({ status, body }, { status: 200, body: 'o\n' });
  });

  await t.test('after authorizeTimeout the address is served again', async () => {
    const path = `${newSession()}/xhr`;
    await until(
      async () => {
        const request = { method: 'POST', path, headers: from('192.0.2.1') };
        return (await httpRequest(port, request)).status === 200;
      },
      'a session',
      { timeout: 60_000 },
    );
  });
  logger.take();
});
