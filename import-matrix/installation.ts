/**
 * The packed package, installed into a user's project with its dependencies. The tools that load it are those
 * of this workspace. `dist/` has to be built.
 */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ROOT, createProject, pack, run } from '../test/package/project.ts';
import { temporaryDirectory } from '../testkit/process.ts';

interface EntryFiles {
  readonly types: string;
  readonly module: string;
  readonly default: string;
}

interface Manifest {
  readonly exports: Readonly<Record<string, string | EntryFiles>>;
  readonly peerDependencies: Readonly<Record<Peer, string>>;
}

const { exports, peerDependencies } = JSON.parse(
  readFileSync(join(ROOT, 'package.json'), 'utf8'),
) as Manifest;

/** Names of the entries, as they are imported, with their files. */
export const ENTRIES: ReadonlyMap<string, EntryFiles> = new Map(
  Object.entries(exports).flatMap(([subpath, files]) =>
    typeof files === 'string' ? [] : [[subpath.replace('.', 'sockjs-server'), files]],
  ),
);

/** Optional peers that the entries import. */
export const IMPORTED_PEERS = ['@nats-io/kv', '@nats-io/transport-node', 'prom-client'] as const;

const PROGRAMS = fileURLToPath(new URL('programs', import.meta.url));

/** @returns the directory of a package that this workspace has installed */
export function tool(name: string): string {
  return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
}

export function copyProgram(name: string, path: string): void {
  copyFileSync(join(PROGRAMS, name), path);
}

export type ModuleType = 'commonjs' | 'module';

export class Installation {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Directory of the package and its dependencies. */
  get modules(): string {
    return join(this.#directory, 'node_modules');
  }

  /** Lets programs of the project import a tool of this workspace. */
  link(name: string): void {
    symlinkSync(tool(name), join(this.modules, name), 'junction');
  }

  /** @returns a new folder of the project for one combination, with programs of `programs/` in it */
  folder(name: string, type: ModuleType, ...programs: readonly string[]): string {
    const folder = join(this.#directory, name.replaceAll(/\W+/g, '-'));
    mkdirSync(folder);
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type }));
    for (const program of programs) copyProgram(program, join(folder, program));
    return folder;
  }
}

type Peer = (typeof IMPORTED_PEERS)[number];

/**
 * Installs the package for the tests of a file. The project is removed after them.
 * @param peers optional peers that are installed too. Default: all that the entries import
 */
export async function installation(peers: readonly Peer[] = IMPORTED_PEERS): Promise<Installation> {
  const directory = await temporaryDirectory({ after });
  const others = peers.map((name) => `${name}@${peerDependencies[name]}`);
  await createProject(directory, await pack(directory), ...others);
  // A stand-in for sockjs-client, for the route that serves the client of the application.
  const client = join(directory, 'node_modules', 'sockjs-client');
  mkdirSync(join(client, 'dist'), { recursive: true });
  writeFileSync(join(client, 'package.json'), '{ "name": "sockjs-client", "version": "1.6.1" }');
  writeFileSync(join(client, 'dist', 'sockjs.min.js'), '"client";');
  return new Installation(directory);
}

/** Runs a tool or a program with the Node of these tests. */
export async function runNode(cwd: string, ...args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await run(cwd, process.execPath, ...args);
  return stdout + stderr;
}

/** Runs `exercise` of a program of either module format. */
export async function assertRuns(program: string): Promise<void> {
  const printed = await runNode(dirname(program), join(PROGRAMS, 'run.cjs'), program);
  assert.equal(printed, 'ok\n');
}

export type CompilerOptions = Readonly<Record<string, unknown>>;

/** Writes the configuration that compiles files of a folder in place, under `strict`. */
export function configure(
  folder: string,
  files: readonly string[],
  options: CompilerOptions,
): void {
  const compilerOptions = { strict: true, skipLibCheck: true, target: 'es2022', ...options };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
}

/** Compiles folders with a configuration, all in one process, which reads the declarations once. */
export async function compileFolders(compiler: string, folders: readonly string[]): Promise<void> {
  await runNode(PROGRAMS, join(tool(compiler), 'bin', 'tsc'), '--build', ...folders);
}

/** Compiles files in place. */
export async function compile(
  compiler: string,
  folder: string,
  files: readonly string[],
  options: CompilerOptions,
): Promise<void> {
  configure(folder, files, options);
  await compileFolders(compiler, [folder]);
}
