/**
 * Builds the package twice. `dist/` is CommonJS for both `import` and `require`, so that a process has one copy of
 * each class. `dist/esm/` has ES modules for bundlers, and `dist/esm/client.js` the browser client as one file.
 * `dist/demo/` is the demo site, and `dist/command/` the command of the package.
 */
import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Plugin, build } from 'esbuild';
import { buildDemo } from './build-demo.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');

/** Compiler configurations, each with its output folder below `dist/` and `dist/esm/`. */
const PROGRAMS = [
  { config: 'tsconfig.build.json', folder: '.' },
  { config: 'client/tsconfig.json', folder: 'client' },
] as const;

const FORMATS = [
  { folder: 'dist', type: 'commonjs', options: ['--declaration'] },
  { folder: 'dist/esm', type: 'module', options: ['--module', 'esnext'] },
] as const;

/**
 * Entries that replace other packages, with forms of exports that the compiler does not have.
 *
 * `require('sockjs-server/client/sockjs')` returns the class itself, like that of sockjs-client. Node finds the names of
 * exports in the text, so those of the static members are there too. `sockjs-server/sockjs` is also its own default
 * export, like npm `sockjs`.
 */
const ENTRIES = {
  'client/sockjs.js': `"use strict";
const { SockJS } = require("./sockjs-class.js");
module.exports = SockJS;
module.exports.SockJS = SockJS;
module.exports.default = SockJS;
module.exports.CONNECTING = SockJS.CONNECTING;
module.exports.OPEN = SockJS.OPEN;
module.exports.CLOSING = SockJS.CLOSING;
module.exports.CLOSED = SockJS.CLOSED;
`,
  'client/sockjs.d.ts': `import { SockJS as Class, type SockJSOptions as Options } from './sockjs-class.js';
declare class SockJSClass extends Class {}
declare namespace SockJSClass {
  export { SockJSClass as SockJS, SockJSClass as default };
  export type SockJSOptions = Options;
}
export = SockJSClass;
`,
  'extras/sockjs.js': `"use strict";
const { createServer, listen } = require("./sockjs/server.js");
module.exports = { createServer, listen };
`,
  'extras/sockjs.d.ts': `/// <reference types="node" preserve="true" />
export type { FayeOptions, RequestWithCookies, ServerOptions } from './sockjs/options.js';
export type { Connection, Middleware, Server } from './sockjs/server.js';
export { createServer, listen } from './sockjs/server.js';
`,
} as const;

/** Lets the command import the built demo site. */
const BUILT_DEMO: Plugin = {
  name: 'built-demo',
  setup(bundler) {
    bundler.onResolve({ filter: /\/examples\/index\.ts$/ }, () => ({
      path: '../demo/site/server.mjs',
      external: true,
    }));
  },
};

async function compile(config: string, folder: string, options: readonly string[]): Promise<void> {
  const args = [TSC, '-p', config, '--outDir', folder, ...options];
  try {
    await promisify(execFile)(process.execPath, args, { cwd: ROOT });
  } catch (error) {
    const output = String(Reflect.get(Object(error), 'stdout'));
    throw new Error(`${config} does not compile into ${folder}:\n${output}`, { cause: error });
  }
}

await rm(join(ROOT, 'dist'), { recursive: true, force: true });
await Promise.all(
  FORMATS.flatMap(({ folder, options }) =>
    PROGRAMS.map((program) => compile(program.config, join(folder, program.folder), options)),
  ),
);
await Promise.all(
  Object.entries(ENTRIES).map(([name, text]) => writeFile(join(ROOT, 'dist', name), text)),
);
// The browser client as one file, for pages without a bundler.
await build({
  entryPoints: [join(ROOT, 'client', 'index.ts')],
  outfile: join(ROOT, 'dist', 'esm', 'client.js'),
  bundle: true,
  format: 'esm',
  minify: true,
  target: 'es2022',
  logLevel: 'warning',
});
await buildDemo();
// The command as one file, since Node strips no types below `node_modules`.
await build({
  entryPoints: [join(ROOT, 'command', 'index.ts')],
  outfile: join(ROOT, 'dist', 'command', 'index.mjs'),
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  plugins: [BUILT_DEMO],
  logLevel: 'warning',
});
// Bundlers read both fields in the nearest `package.json`.
for (const { folder, type } of FORMATS) {
  await writeFile(
    join(ROOT, folder, 'package.json'),
    `${JSON.stringify({ type, sideEffects: false })}\n`,
  );
}
