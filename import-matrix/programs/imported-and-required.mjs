/** Loads the package by `import` and by `require` in one bundle. */
import { strictEqual } from 'node:assert';
import { SockJSConnection } from 'sockjs-server';
import required from './required.cjs';

export function exercise() {
  strictEqual(required.SockJSConnection, SockJSConnection);
}
