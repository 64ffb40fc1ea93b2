/** Each package of the repository declares its imports, and the lock file works with every version of npm. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

interface Manifest {
  readonly name: string;
  readonly workspaces?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}

const ROOT = readManifest('.');
const OWN_FOLDERS = ['src', 'client', 'command', 'test', 'testkit', 'test-server', 'scripts'];
const IMPORT = /^(?:import|export)\b[^;]*?\bfrom '([^'.][^']*)';$|^import '([^'.][^']*)';$/gm;
const PACKAGE_NAME = /^(?:@[^/]+\/)?[^/]+/;

function importedPackages(folder: string): Set<string> {
  const names = globSync(`${folder}/**/*.{ts,js}`, { exclude: ['**/node_modules/**'] })
    .flatMap((file) =>
      Array.from(
        readFileSync(file, 'utf8').matchAll(IMPORT),
        ([, named, bare]) => named ?? bare ?? '',
      ),
    )
    .filter((specifier) => !specifier.startsWith('node:'))
    .map((specifier) => PACKAGE_NAME.exec(specifier)?.[0] ?? specifier);
  return new Set(names);
}

function assertDeclares({ name, dependencies, devDependencies }: Manifest, folder: string): void {
  const imported = importedPackages(folder);
  // The root package refers to itself, and the programs of the import matrix run with the packed package.
  if (ROOT.name === name || folder === 'import-matrix') imported.delete(ROOT.name);
  for (const dependency of imported)
    assert.ok(
      dependency in { ...dependencies, ...devDependencies },
      `${folder} imports ${dependency}`,
    );
}

for (const folder of OWN_FOLDERS) {
  test(`the root package declares the imports of ${folder}/`, () => assertDeclares(ROOT, folder));
}

for (const folder of ROOT.workspaces ?? []) {
  test(`the workspace ${folder} declares its imports`, () => {
    assert.ok(importedPackages(folder).size > 0);
    assertDeclares(readManifest(folder), folder);
  });
}

interface LockFile {
  readonly packages: Readonly<Record<string, { readonly resolved?: string; libc?: unknown }>>;
}

const LOCK = JSON.parse(readFileSync('package-lock.json', 'utf8')) as LockFile;

test('the lock file names no registry', () => {
  const urls = Object.values(LOCK.packages).filter(({ resolved = '' }) => resolved.includes(':'));
  assert.deepEqual(urls, []);
});

test('the lock file has no field that npm 10 removes', () => {
  for (const [path, entry] of Object.entries(LOCK.packages))
    assert.ok(!('libc' in entry), `${path}: add dependencies with npm 10, see CONTRIBUTING.md`);
});
