/** Prefixes that are refused, each with its remedy. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { SockJSConnection, type SockJSError, SockJSRouter } from '../../src/index.ts';

const REFUSED: readonly (readonly [prefix: unknown, fault: string])[] = [
  ['echo', "the slash at its beginning is missing. Use '/echo'."],
  ['echo/', "the slash at its beginning is missing. Use '/echo'."],
  ['/echo/', "it has a slash at its end. Use '/echo'."],
  ['/a/b//', "it has a slash at its end. Use '/a/b'."],
  ['/', "a router for the whole site has the prefix ''."],
  ['//', "a router for the whole site has the prefix ''."],
  ['/a//b', "it has two slashes in a row. Use '/a/b'."],
  ['/:room', 'patterns are not supported.'],
  ['/chat/:room', 'patterns are not supported.'],
  ['/echo/*', 'patterns are not supported.'],
  ['*', 'patterns are not supported.'],
  ['/{*splat}', 'patterns are not supported.'],
  ['/[room]', 'patterns are not supported.'],
  ['[/]echo', 'patterns are not supported.'],
  ['/echo.+', 'patterns are not supported.'],
  ['^/echo$', 'patterns are not supported.'],
  [/\/echo/, 'it is not a string.'],
  ['/a?b', "it has a query or a fragment, and must be the path alone. Use '/a'."],
  ['/a/#b', "it has a query or a fragment, and must be the path alone. Use '/a'."],
  ['http://localhost:9999/echo', "it has a host, and must be the path alone. Use '/echo'."],
  ['wss://a.example/echo/?x', "it has a host, and must be the path alone. Use '/echo'."],
  ['//a.example/echo', "it has a host, and must be the path alone. Use '/echo'."],
  ['/a b', "percent-encoded. Use '/a%20b'."],
  [
    '/écho',
    "it must be in printable ASCII, as clients send it: percent-encoded. Use '/%C3%A9cho'.",
  ],
  ['/例え', 'percent-encoded. Use '],
  ['/a\u0001b', "percent-encoded. Use '/a%01b'."],
  ['/a\u007f', "percent-encoded. Use '/a%7F'."],
  ['/a/../b', "clients send another path. Use '/b'."],
  ['/./echo', "clients send another path. Use '/echo'."],
  ['/"a"', "clients send another path. Use '/%22a%22'."],
  [{ prefix: '/echo' }, 'it is not a string. The settings are the third argument.'],
  [null, 'it is not a string.'],
  [42, 'it is not a string.'],
];

for (const [prefix, fault] of REFUSED) {
  test(`the prefix cannot be ${inspect(prefix)}: ${fault}`, () => {
    assert.throws(
      () => new SockJSRouter(SockJSConnection, prefix as never),
      ({ code, message }: SockJSError) => {
        assert.equal(code, 'ERR_SETTING');
        assert.ok(message.startsWith("The prefix must be '' or a path such as '/echo', not "));
        assert.ok(message.includes(fault), message);
        return true;
      },
    );
  });
}

for (const prefix of [
  '',
  '/echo',
  '/a/b',
  '/%C3%A9cho/~a(b)',
  '/a:b',
  '/v1.0',
  '/@scope/x+y',
  '/$a',
]) {
  test(`the prefix can be '${prefix}'`, () => {
    assert.equal(new SockJSRouter(SockJSConnection, prefix).prefix, prefix);
  });
}
