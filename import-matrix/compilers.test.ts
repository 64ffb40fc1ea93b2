/**
 * The packed package under every current `module` setting of the TypeScript lines in use: compiled with
 * `strict`, and run. The declarations themselves are checked once by each compiler, since this takes
 * most of the time. The program does not compile with `any`, so a missing type fails the test.
 */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, describe, test } from 'node:test';
import { temporaryDirectory } from '../testkit/process.ts';
import {
  type CompilerOptions,
  type ModuleType,
  assertRuns,
  compile,
  compileFolders,
  configure,
  copyProgram,
  installation,
  tool,
} from './installation.ts';

interface Mode {
  readonly options: CompilerOptions;
  readonly files: readonly string[];
  /** Format of the `.ts` files in the folder. */
  readonly type: ModuleType;
}

function asOneFile(type: ModuleType, options: CompilerOptions): Mode {
  return { options, files: ['program.ts'], type };
}

/** Module settings that follow Node: one compilation emits both formats. */
function asNode(module: string): Mode {
  return { options: { module }, files: ['program.mts', 'program.cts'], type: 'commonjs' };
}

/** Resolution that ignores `exports`: it finds the entries by `types` and `typesVersions`. */
const NODE10: readonly Mode[] = [
  asOneFile('commonjs', { module: 'commonjs', moduleResolution: 'node10' }),
  asOneFile('module', { module: 'esnext', moduleResolution: 'node10' }),
];

const CURRENT: readonly Mode[] = [
  asOneFile('commonjs', { module: 'commonjs' }),
  asNode('node16'),
  asNode('node18'),
  asNode('node20'),
  asNode('nodenext'),
  asOneFile('module', { module: 'preserve' }),
  asOneFile('module', { module: 'esnext', moduleResolution: 'bundler' }),
];

const COMMONJS_AND_BUNDLER = asOneFile('commonjs', {
  module: 'commonjs',
  moduleResolution: 'bundler',
});

function silenced(mode: Mode): Mode {
  return { ...mode, options: { ...mode.options, ignoreDeprecations: '6.0' } };
}

/** Compiler packages, and the module settings of each. */
const COMPILERS: Readonly<Record<string, readonly Mode[]>> = {
  'typescript-5': [...NODE10, ...CURRENT],
  'typescript-6': [...NODE10.map(silenced), COMMONJS_AND_BUNDLER, ...CURRENT],
  typescript: [COMMONJS_AND_BUNDLER, ...CURRENT],
};

const installed = await installation();

function folderFor(name: string, { type, files }: Mode): string {
  const folder = installed.folder(name, type);
  for (const file of files) copyProgram('program.ts', join(folder, file));
  return folder;
}

describe('the package compiles and runs', { concurrency: 2 }, () => {
  for (const [compiler, modes] of Object.entries(COMPILERS)) {
    test(compiler, async (t) => {
      const programs = modes.map((mode) => {
        const { module, moduleResolution = 'by default' } = mode.options;
        const name = `module ${String(module)}, resolution ${String(moduleResolution)}`;
        const folder = folderFor(`${compiler} ${name}`, mode);
        configure(folder, mode.files, mode.options);
        return { name, folder, files: mode.files };
      });
      const folders = programs.map(({ folder }) => folder);
      await compileFolders(compiler, folders);
      for (const { name, folder, files } of programs) {
        await t.test(name, async () => {
          for (const file of files) await assertRuns(join(folder, file.replace('ts', 'js')));
        });
      }
    });
  }
});

const { files: FILES, options: NODENEXT } = asNode('nodenext');

/** A new project with copies of the package and its peer for metrics, and with one version of the types of Node. */
async function projectWith(t: TestContext, types?: string): Promise<string> {
  const directory = await temporaryDirectory(t);
  const modules = join(directory, 'node_modules');
  mkdirSync(join(modules, '@types'), { recursive: true });
  for (const dependency of ['sockjs-server', 'prom-client', '@opentelemetry'])
    cpSync(join(installed.modules, dependency), join(modules, dependency), { recursive: true });
  if (types !== undefined) symlinkSync(tool(types), join(modules, '@types', 'node'), 'junction');
  for (const file of FILES) copyProgram('program.ts', join(directory, file));
  return directory;
}

describe('the declarations compile', { concurrency: 2 }, () => {
  const options = { ...NODENEXT, skipLibCheck: false };

  for (const compiler of Object.keys(COMPILERS)) {
    test(`for ${compiler}, with the newest @types/node`, async () => {
      const folder = folderFor(`declarations ${compiler}`, asNode('nodenext'));
      await compile(compiler, folder, FILES, options);
    });
  }

  for (const types of ['types-node-18', 'types-node-20']) {
    test(`with ${types}`, async (t) => {
      await compile('typescript', await projectWith(t, types), FILES, options);
    });
  }

  test('without @types/node the compiler names the missing package', async (t) => {
    const missing = compile('typescript', await projectWith(t), FILES, options);
    await assert.rejects(missing, /Cannot find type definition file for 'node'/);
  });
});
