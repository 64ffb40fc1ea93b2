/** Paths and their routes. Methods and headers are tested in conformance/. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { resolveSettings } from '../../src/api/settings.ts';
import { splitTarget } from '../../src/http/prefix.ts';
import { RouteTable, type RouteMatch } from '../../src/routes/route-table.ts';

const TABLE = new RouteTable(resolveSettings({}));

function match(path: string): RouteMatch | undefined {
  return TABLE.match(path);
}

const UNKNOWN_PATHS = [
  '/a',
  '/a.html',
  '//',
  '///',
  '/a/a',
  '/a/a/',
  '/iframe.htm',
  '/iframe',
  '/IFRAME.HTML',
  '/iframe.HTML',
  '/iframe.xml',
  '/iframe-/.html',
  '//a/xhr',
  '/a//xhr',
  '/a./a/xhr',
  '/a/a./xhr',
  '/./../xhr',
  '/a/a/xhr/',
  '/a/a/a/xhr',
  '/a/a/XHR',
  '/info/',
  '/__proto__',
  '/a/a/constructor',
];

for (const path of UNKNOWN_PATHS) {
  test(`${path} matches no route`, () => {
    assert.equal(match(path), undefined);
  });
}

const PATHS_WITHOUT_SESSION = [
  '',
  '/info',
  '/iframe.html',
  '/iframe-0.1.2abc-dirty.2144.html',
  '/iframe-.html',
  '/websocket',
  '/sockjs.js',
  '/client.js',
];

for (const path of PATHS_WITHOUT_SESSION) {
  test(`'${path}' matches a route without a session`, () => {
    assert.equal(match(path)?.sessionId, '');
  });
}

test('server and session may be any text without dot and slash', () => {
  assert.equal(match('/a%20/b%2f_-~/xhr')?.sessionId, 'b%2f_-~');
});

test('matching does not throw for any target', () => {
  fc.assert(
    fc.property(fc.string(), (target) => void match(splitTarget(target).path)),
    { numRuns: 2000 },
  );
});
