/**
 * Builds the package twice. `dist/` is CommonJS for both `import` and `require`, so that a process has one copy of
 * each class. `dist/esm/` has ES modules for bundlers, and `dist/esm/client.js` the browser client as one file.
 * `dist/demo/` is the demo site.
 */
import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
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
 * `require` returns the class itself, like that of sockjs-client. The compiler has no such form of a default export.
 * Node finds the names of exports in the text, so those of the static members are there too.
 */
const SOCKJS_ENTRY = {
  'sockjs.js': `"use strict";
const { SockJS } = require("./sockjs-class.js");
module.exports = SockJS;
module.exports.SockJS = SockJS;
module.exports.default = SockJS;
module.exports.CONNECTING = SockJS.CONNECTING;
module.exports.OPEN = SockJS.OPEN;
module.exports.CLOSING = SockJS.CLOSING;
module.exports.CLOSED = SockJS.CLOSED;
`,
  'sockjs.d.ts': `import { SockJS as Class, type SockJSOptions as Options } from './sockjs-class.js';
declare class SockJSClass extends Class {}
declare namespace SockJSClass {
  export { SockJSClass as SockJS, SockJSClass as default };
  export type SockJSOptions = Options;
}
export = SockJSClass;
`,
} as const;

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
  Object.entries(SOCKJS_ENTRY).map(([name, text]) =>
    writeFile(join(ROOT, 'dist', 'client', name), text),
  ),
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
// Bundlers read both fields in the nearest `package.json`.
for (const { folder, type } of FORMATS) {
  await writeFile(
    join(ROOT, folder, 'package.json'),
    `${JSON.stringify({ type, sideEffects: false })}\n`,
  );
}
