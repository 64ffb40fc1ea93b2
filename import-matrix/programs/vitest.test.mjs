/** Copied beside a program that was compiled to an ES module, and run by Vitest unchanged. */
import { createRequire } from 'node:module';
import { SockJSConnection } from 'sockjs-server';
import { expect, test } from 'vitest';
import { exercise } from './program.js';

test('every entry of the package works', exercise);

test('a dependency that requires the package gets the same classes', () => {
  const required = createRequire(import.meta.url)('sockjs-server');
  expect(required.SockJSConnection).toBe(SockJSConnection);
});
