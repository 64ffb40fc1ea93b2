/** Checks the import graph of `src/`: the order of the layers, and cycles between files. */
import { dirname, join, normalize } from 'node:path';

// Type imports count: a file that needs another's types cannot be read or moved without it.
const IMPORT = /(?:from|import)\s*\(?\s*'(\.[^']+)'/g;

/** Source text by path, relative to the root of the project. */
export type Sources = ReadonlyMap<string, string>;

/** Layers from the bottom to the top; folders of one layer are independent of each other. */
export type Layers = readonly (readonly string[])[];

/** Reads an order such as `base < protocol, websocket < sessions`. */
export function parseLayers(line: string): Layers {
  return line.split('<').map((layer) => layer.split(',').map((folder) => folder.trim()));
}

function importsOf(file: string, source: string): string[] {
  return Array.from(source.matchAll(IMPORT), ([, path]) =>
    normalize(join(dirname(file), path ?? '')),
  );
}

function folderOf(file: string): string {
  return file.split('/')[1] ?? '';
}

/** Returns a line for each import that does not point to the file's own folder or to a lower layer. */
export function findUpwardImports(sources: Sources, layers: Layers): string[] {
  const rank = (file: string): number =>
    layers.findIndex((folders) => folders.includes(folderOf(file)));
  const found: string[] = [];
  for (const [file, source] of sources) {
    // Only the main entry, which re-exports from every layer, lies loose in src/.
    if (file === 'src/index.ts') continue;
    if (rank(file) < 0) found.push(`${file} is in no layer`);
    for (const imported of importsOf(file, source)) {
      if (folderOf(imported) === folderOf(file)) continue;
      if (rank(imported) < 0 || rank(imported) >= rank(file)) found.push(`${file} -> ${imported}`);
    }
  }
  return found;
}

/** Returns each import cycle once, as a path that ends where it begins. */
export function findCycles(sources: Sources): string[] {
  const found: string[] = [];
  const finished = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file);
    if (start >= 0) found.push([...path.slice(start), file].join(' -> '));
    if (start >= 0 || finished.has(file)) return;
    for (const imported of importsOf(file, sources.get(file) ?? '')) {
      visit(imported, [...path, file]);
    }
    finished.add(file);
  };
  for (const file of sources.keys()) visit(file, []);
  return found;
}
