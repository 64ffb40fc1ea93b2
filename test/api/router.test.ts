import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SockJSConnection, SockJSRouter } from '../../src/index.ts';

for (const prefix of ['echo', '/echo/', '/', '/a?b', '/a#b', '/a b', '//']) {
  test(`the prefix cannot be '${prefix}'`, () => {
    assert.throws(
      () => new SockJSRouter(SockJSConnection, prefix),
      /The prefix must be '' or a path such as '\/echo'/,
    );
  });
}

for (const prefix of ['/écho', '/例え', '/a/\u0001', '/a\u007f']) {
  test(`the prefix cannot be ${JSON.stringify(prefix)}, which is not printable ASCII`, () => {
    assert.throws(() => new SockJSRouter(SockJSConnection, prefix), {
      code: 'ERR_SETTING',
      message: /printable ASCII.*percent-encoded/,
    });
  });
}

test('the prefix may contain percent-encoded characters', () => {
  const prefix = encodeURI('/écho/~a(b)');
  assert.equal(new SockJSRouter(SockJSConnection, prefix).prefix, '/%C3%A9cho/~a(b)');
});

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
    assert.throws(() => router.attach(server as never), /takes an http\.Server/);
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
