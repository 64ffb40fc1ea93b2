/**
 * Builds the demo site into `dist/demo/`: its server as one file beside its pages, and uPlot. Node strips no types below
 * `node_modules`, and the package has no further dependency.
 */
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Plugin, build, transform } from 'esbuild';
import { filesFor } from '../examples/site/files.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const EXAMPLES = join(ROOT, 'examples');
const DEMO = join(ROOT, 'dist', 'demo');
const PAGES = ['echo', 'chat', 'multiplex', 'stats'];

/** Files of packages that the demo site serves, relative to its server. */
const PACKED_FILES = {
  'sockjs-server/package.json': '../../../package.json',
  'uplot/dist/uPlot.esm.js': 'uplot.js',
  'uplot/dist/uPlot.min.css': 'uplot.css',
};

/** Imports the package by path, since the nearest `package.json` has no name. */
const RELATIVE_PACKAGE: Plugin = {
  name: 'relative-package',
  setup(bundler) {
    bundler.onResolve({ filter: /^sockjs-server$/ }, () => ({
      path: '../../index.js',
      external: true,
    }));
    bundler.onResolve({ filter: /^sockjs-server\/multiplex$/ }, () => ({
      path: '../../extras/multiplex.js',
      external: true,
    }));
  },
};

async function buildServer(): Promise<void> {
  await build({
    entryPoints: [join(EXAMPLES, 'index.ts')],
    outfile: join(DEMO, 'site', 'server.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    plugins: [RELATIVE_PACKAGE],
    define: { 'import.meta.main': 'false', 'import.meta.resolve': 'resolvePacked' },
    banner: {
      js: `const PACKED_FILES = ${JSON.stringify(PACKED_FILES)};
const resolvePacked = (specifier) => new URL(PACKED_FILES[specifier], import.meta.url).href;`,
    },
    logLevel: 'warning',
  });
}

/** Minifies a script of a package, and keeps the licence at its start. */
async function minify(source: string): Promise<string> {
  const [licence = ''] = /^\/\*[^]*?\*\//.exec(source) ?? [];
  const { code } = await transform(source, { minify: true, format: 'esm', banner: licence });
  return code;
}

async function copyFile(path: string, file: string): Promise<void> {
  if (file.startsWith(EXAMPLES)) {
    await cp(file, join(DEMO, file.slice(EXAMPLES.length)));
  } else if (basename(path).startsWith('uplot.')) {
    const text = await readFile(file, 'utf8');
    const target = join(DEMO, 'site', basename(path));
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, path.endsWith('.js') ? await minify(text) : text);
  }
}

export async function buildDemo(): Promise<void> {
  const files = [...filesFor(PAGES)].map(([path, url]) => copyFile(path, fileURLToPath(url)));
  await Promise.all([buildServer(), ...files]);
}
