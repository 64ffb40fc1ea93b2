/** Where a path leads. Which methods and headers go with it is tested over real sockets, in conformance/. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { resolveSettings } from '../../src/api/settings.ts';
import { splitTarget } from '../../src/http/prefix.ts';
import { RouteTable, type RouteMatch } from '../../src/routes/route-table.ts';

const TABLE = new RouteTable('/echo', resolveSettings({}));

function match(path: string): RouteMatch | undefined {
  return TABLE.match(path);
}

const NOWHERE = [
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

for (const path of NOWHERE) {
  test(`${path} leads nowhere`, () => {
    assert.equal(match(path), undefined);
  });
}

const SOMEWHERE = [
  '',
  '/info',
  '/iframe.html',
  '/iframe-0.1.2abc-dirty.2144.html',
  '/iframe-.html',
  '/websocket',
  '/sockjs.js',
];

for (const path of SOMEWHERE) {
  test(`'${path}' leads somewhere, without a session`, () => {
    assert.equal(match(path)?.sessionId, '');
  });
}

test('server and session are any text without dot and slash', () => {
  assert.equal(match('/a%20/b%2f_-~/xhr')?.sessionId, 'b%2f_-~');
});

const TARGETS: readonly (readonly [target: string, path: string, query: string])[] = [
  ['/a/b', '/a/b', ''],
  ['/a?b?c', '/a', 'b?c'],
  ['/?', '/', ''],
  ['http://host/a?b', '/a', 'b'],
  ['http://host', '', ''],
  ['http://[::1', '', ''],
  ['//evil', '//evil', ''],
  ['*', '', ''],
  ['', '', ''],
];

for (const [target, path, query] of TARGETS) {
  test(`the target '${target}' means path '${path}' and query '${query}'`, () => {
    assert.deepEqual(splitTarget(target), { path, query });
  });
}

test('no target makes routing throw', () => {
  fc.assert(
    fc.property(fc.string(), (target) => void match(splitTarget(target).path)),
    { numRuns: 2000 },
  );
});
