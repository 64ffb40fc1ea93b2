/** Imports in src/ point down the table of ARCHITECTURE.md; and every file has its place there. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';

const ROW = /^\| (\d+) \| `(src\/[^`]+)` \|/gm;
const IMPORT = /(?:from|import)\s*\(?\s*'(\.[^']+)'/g;
const FILES = globSync('src/**/*.ts');

function readLayers(): Map<string, number> {
  const rows = readFileSync('ARCHITECTURE.md', 'utf8').matchAll(ROW);
  return new Map(Array.from(rows, ([, layer, place]) => [place ?? '', Number(layer)]));
}

const LAYERS = readLayers();

/** The row of a file: its own, or that of its folder. */
function placeOf(file: string): string {
  return LAYERS.has(file) ? file : `${dirname(file)}/`;
}

function importsOf(file: string): string[] {
  const source = readFileSync(file, 'utf8');
  return Array.from(source.matchAll(IMPORT), ([, path]) =>
    normalize(join(dirname(file), path ?? '')),
  );
}

test('the table has a row for every file', () => {
  assert.ok(FILES.length > 20);
  for (const file of FILES)
    assert.ok(LAYERS.has(placeOf(file)), `${file} has no row in ARCHITECTURE.md`);
});

for (const file of FILES) {
  test(`${file} imports from below only`, () => {
    const place = placeOf(file);
    for (const imported of importsOf(file)) {
      const other = placeOf(imported);
      const allowed =
        other === place || (LAYERS.get(other) ?? Infinity) < (LAYERS.get(place) ?? -1);
      assert.ok(allowed, `${file} must not import ${imported}`);
    }
  });
}

test('protocol/ is pure: it imports no module of Node', () => {
  for (const file of FILES.filter((name) => name.startsWith('src/protocol/'))) {
    assert.doesNotMatch(readFileSync(file, 'utf8'), /node:/);
  }
});

// The types that middleware, attach and the endpoint for metrics are given.
const HAVE_TYPES_OF_HTTP = new Set(['src/router.ts', 'src/extras/prometheus.ts']);

test('nothing knows ws, and only hosts/ knows node:http, but for types', () => {
  for (const file of FILES) {
    const source = readFileSync(file, 'utf8');
    assert.doesNotMatch(source, /from 'ws'/);
    if (!file.startsWith('src/hosts/') && !HAVE_TYPES_OF_HTTP.has(file))
      assert.doesNotMatch(source, /from 'node:https?'/);
  }
});

test('sources use nothing that CommonJS lacks', () => {
  // The compiler refuses top-level await and import.meta, but turns a dynamic import into `require`.
  for (const file of FILES) {
    assert.doesNotMatch(readFileSync(file, 'utf8'), /\bimport\(|import\.meta/);
  }
});

test('no file is longer than 300 lines', () => {
  for (const file of FILES) {
    const lines = readFileSync(file, 'utf8').split('\n').length;
    assert.ok(lines <= 300, `${file} has ${lines} lines: look for the seam`);
  }
});
