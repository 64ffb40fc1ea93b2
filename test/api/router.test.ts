import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SockJSConnection, SockJSRouter } from '../../src/index.ts';

test('the first argument cannot be an object', () => {
  const connection: unknown = {};
  assert.throws(
    () => Reflect.construct(SockJSRouter, [connection, '/echo']),
    /must be a class that extends SockJSConnection/,
  );
});

test('attach refuses a value that is not a server', () => {
  const router = new SockJSRouter(SockJSConnection, '/echo');
  for (const server of [undefined, {}, () => undefined]) {
    assert.throws(() => router.attach(server as never), /takes a server of node:http/);
  }
});

for (const options of [
  { code: 1006 },
  { code: 99 },
  { reason: 'x'.repeat(200) },
  { timeout: Number.NaN },
  { timeout: -1 },
]) {
  test(`close refuses ${JSON.stringify(options).slice(0, 40)}`, async () => {
    const router = new SockJSRouter(SockJSConnection, '/echo');
    assert.throws(() => router.close(options), { code: 'ERR_CLOSE_ARGUMENT' });
    await router.close({ timeout: 0 });
  });
}
