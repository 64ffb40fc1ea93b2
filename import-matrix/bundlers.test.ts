/** Bundles of the packed package run, and contain each class once. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { nodeResolve } from '@rollup/plugin-node-resolve';
import { build } from 'esbuild';
import { type Plugin, rollup } from 'rollup';
import webpack from 'webpack';
import { IMPORTED_PEERS, assertRuns, compile, installation } from './installation.ts';

// Required, because its declarations are those of a CommonJS module, and an `import` does not compile.
const commonjs = createRequire(import.meta.url)('@rollup/plugin-commonjs') as () => Plugin;

/** The optional peers are not bundled: they are CommonJS and require modules of Node. */
const EXTERNAL = [...IMPORTED_PEERS];

/** @returns the files in the bundle */
type Bundler = (input: string, output: string) => Promise<readonly string[]>;

const esbuild: Bundler = async (input, output) => {
  const { metafile } = await build({
    bundle: true,
    entryPoints: [input],
    external: EXTERNAL,
    format: 'esm',
    logLevel: 'silent',
    metafile: true,
    outfile: output,
    platform: 'node',
  });
  return Object.keys(metafile.inputs);
};

const rollupBundler: Bundler = async (input, output) => {
  const bundle = await rollup({
    external: [/^node:/, ...EXTERNAL],
    input,
    onwarn(warning) {
      throw new Error(warning.message);
    },
    plugins: [nodeResolve({ preferBuiltins: true }), commonjs()],
  });
  await bundle.write({ file: output, format: 'es' });
  await bundle.close();
  return bundle.watchFiles;
};

const webpackBundler: Bundler = async (input, output) => {
  const compiler = webpack({
    entry: input,
    experiments: { outputModule: true },
    externals: EXTERNAL.map((name) => ({ [name]: `module ${name}` })),
    mode: 'production',
    output: { filename: 'bundle.js', library: { type: 'module' }, path: join(output, '..') },
    target: 'node20',
  });
  assert.ok(compiler !== null);
  const stats = await promisify(compiler.run.bind(compiler))();
  await promisify(compiler.close.bind(compiler))();
  assert.deepEqual([stats?.compilation.errors, stats?.compilation.warnings], [[], []]);
  return [...(stats?.compilation.fileDependencies ?? [])];
};

const BUNDLERS = { esbuild, rollup: rollupBundler, webpack: webpackBundler } as const;

/** Files of entries that a bundle of the main entry does not contain. */
const OTHER_ENTRIES = /extras.|backplane.(?:ipc|nats|redis)/;

const installed = await installation();
const programs = ['program.ts', 'imported-and-required.mjs', 'required.cjs'];
const folder = installed.folder('bundles', 'module', ...programs);
await compile('typescript', folder, ['program.ts'], {
  module: 'esnext',
  moduleResolution: 'bundler',
});

describe('bundlers', { concurrency: 2 }, () => {
  for (const [name, bundle] of Object.entries(BUNDLERS)) {
    for (const program of ['program.js', 'imported-and-required.mjs']) {
      test(`${name}: ${program}`, async () => {
        const output = join(installed.folder(`${name} ${program}`, 'module'), 'bundle.js');
        const files = await bundle(join(folder, program), output);
        const ours = files.filter((file) => /sockjs-server.dist.+\.js$/.test(file));
        assert.ok(ours.length > 0);
        assert.ok(
          ours.every((file) => /dist.esm./.test(file)),
          ours.join('\n'),
        );
        const others = ours.filter((file) => OTHER_ENTRIES.test(file));
        assert.equal(others.length > 0, program === 'program.js', others.join('\n'));
        await assertRuns(output);
      });
    }
  }
});
