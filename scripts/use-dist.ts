/**
 * Loaded before a test by `--import`. It replaces the source of each entry by the built entry under its public name,
 * so that the test runs on the built package. It throws for any other file of `src/`, because that would run on the
 * sources unnoticed.
 */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

const ROOT = new URL('../', import.meta.url);
const SOURCES = new URL('src/', ROOT).href;

const { name, exports } = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8')) as {
  readonly name: string;
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
};

/** Entries of the package by the URL of their source: `dist/` mirrors `src/`. */
const ENTRIES = new Map<string, string>();
for (const [subpath, target] of Object.entries(exports)) {
  if (typeof target === 'string') continue;
  const source = target.default.replace('./dist/', 'src/').replace(/\.js$/, '.ts');
  ENTRIES.set(new URL(source, ROOT).href, subpath.replace('.', name));
}

registerHooks({
  resolve(specifier, context, nextResolve) {
    const resolved = nextResolve(specifier, context);
    const entry = ENTRIES.get(resolved.url);
    if (entry !== undefined) return nextResolve(entry, context);
    if (resolved.url.startsWith(SOURCES)) {
      throw new Error(`${resolved.url} is internal: this test runs on the built package.`);
    }
    return resolved;
  },
});
