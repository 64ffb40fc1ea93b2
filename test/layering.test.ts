import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type Sources, findCycles, findUpwardImports, parseLayers } from './import-graph.ts';

const SOURCES: Sources = new Map(
  globSync('src/**/*.ts').map((file) => [file, readFileSync(file, 'utf8')]),
);

const ORDER = /^`(base < [^`]+)`$/m;
const LAYERS = parseLayers(ORDER.exec(readFileSync('ARCHITECTURE.md', 'utf8'))?.[1] ?? '');

/** The sources of this project with one file replaced or added. */
function planted(file: string, source: string): Sources {
  return new Map([...SOURCES, [file, source]]);
}

function linesIn(folder: string): [file: string, source: string][] {
  return [...SOURCES].filter(([file]) => file.startsWith(`src/${folder}/`));
}

test('imports point to the same folder or to a lower layer of ARCHITECTURE.md', () => {
  assert.ok(SOURCES.size > 40);
  assert.deepEqual(findUpwardImports(SOURCES, LAYERS), []);
});

test('there is no import cycle, type imports included', () => {
  assert.deepEqual(findCycles(SOURCES), []);
});

test('a planted upward import is found', () => {
  const sources = planted('src/base/planted.ts', "import { x } from '../http/headers.ts';");
  assert.deepEqual(findUpwardImports(sources, LAYERS), [
    'src/base/planted.ts -> src/http/headers.ts',
  ]);
});

test('a planted import between folders of one layer is found', () => {
  const sources = planted('src/websocket/planted.ts', "import { x } from '../protocol/frame.ts';");
  assert.equal(findUpwardImports(sources, LAYERS).length, 1);
});

test('a planted file outside of every layer is found', () => {
  assert.deepEqual(findUpwardImports(planted('src/loose.ts', ''), LAYERS), [
    'src/loose.ts is in no layer',
  ]);
});

test('a planted cycle inside a folder is found', () => {
  const sources = new Map([
    ['src/base/one.ts', "import { two } from './two.ts';"],
    ['src/base/two.ts', "import { one } from './one.ts';"],
  ]);
  assert.deepEqual(findCycles(sources), ['src/base/one.ts -> src/base/two.ts -> src/base/one.ts']);
});

test('a planted cycle of type imports is found', () => {
  const sources = new Map([
    ['src/base/one.ts', "import type { Two } from './two.ts';"],
    ['src/base/two.ts', "export type { Three } from './three.ts';"],
    ['src/base/three.ts', "export type One = import('./one.ts').One;"],
  ]);
  assert.equal(findCycles(sources).length, 1);
});

test('only index.ts is directly in src/', () => {
  assert.deepEqual(globSync('src/*.ts'), ['src/index.ts']);
});

// Globals of Node that a pure file could use without an import.
const NODE_GLOBALS =
  /\b(?:process|setTimeout|setInterval|setImmediate|queueMicrotask|performance|require)\b\s*[.(]|from 'node:/;

test('protocol/ uses no module and no global of Node', () => {
  for (const [file, source] of linesIn('protocol')) {
    assert.doesNotMatch(source, NODE_GLOBALS, file);
    assert.doesNotMatch(source, /\bBuffer\b/, file);
  }
});

test('websocket/ uses nothing of Node but node:buffer and synchronous functions of node:zlib', () => {
  const allowed =
    /^import \{(?: (?:isUtf8|constants|\w+Sync),?)+ \} from 'node:(?:buffer|zlib)';$/gm;
  for (const [file, source] of linesIn('websocket')) {
    assert.doesNotMatch(source.replace(allowed, ''), NODE_GLOBALS, file);
  }
});

test('only hosts/ imports node:http, except for types of the public API', () => {
  for (const [file, source] of SOURCES) {
    if (file.startsWith('src/hosts/')) continue;
    assert.doesNotMatch(source, /^import (?!type )[^;]*from 'node:https?'/m, file);
  }
});

test('sources use nothing that CommonJS lacks', () => {
  // The compiler refuses top-level await and import.meta, but turns a dynamic import into `require`.
  for (const [file, source] of SOURCES) {
    assert.doesNotMatch(source, /\bimport\(|import\.meta/, file);
  }
});

test('no file has more than 300 lines', () => {
  for (const [file, source] of SOURCES) {
    const lines = source.split('\n').length;
    assert.ok(lines <= 300, `${file} has ${lines} lines`);
  }
});

test('sockets are reset by resetSocket alone, since a mistake lets a process run for ever', () => {
  const files = globSync('{bench,e2e,src,test,testkit}/**/*.ts', {
    exclude: ['**/node_modules/**'],
  });
  const resetting = files.filter((file) => /\.resetAndDestroy\(/.test(readFileSync(file, 'utf8')));
  assert.deepEqual(resetting, ['testkit/reset-socket.ts']);
});
