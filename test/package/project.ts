/**
 * The package in a user's project: packed, installed into an empty project, and run by any version of Node.
 * `dist/` has to be built.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Program, run as runProgram } from '../../testkit/process.ts';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const FIXTURES = fileURLToPath(new URL('fixtures', import.meta.url));
const ANY_PORT = new URL('fixtures/any-port.mjs', import.meta.url).href;

/** More than a download of Node takes over a slow network. */
const TIMEOUT_MS = 110_000;

/** Runs a program to its end. @throws an error with its output, unless it exits with 0 */
export async function run(
  cwd: string,
  command: string,
  ...args: readonly string[]
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  return runProgram(command, args, { cwd, timeout: TIMEOUT_MS });
}

/** Creates a project with the fields of its `package.json`, and installs packages in it. */
export async function installProject(
  directory: string,
  manifest: Readonly<Record<string, unknown>>,
  ...packages: readonly string[]
): Promise<void> {
  await mkdir(directory, { recursive: true });
  const fields = { private: true, type: 'module', ...manifest };
  await writeFile(join(directory, 'package.json'), JSON.stringify(fields));
  const options = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  await run(directory, 'npm', 'install', ...options, ...packages);
}

/** Creates an empty project and installs packages in it. */
export async function createProject(
  directory: string,
  ...packages: readonly string[]
): Promise<void> {
  await installProject(directory, {}, ...packages);
}

/** Packs a package of the repository into an empty directory. @returns the path of the tarball */
export async function pack(directory: string, folder: string = ROOT): Promise<string> {
  // Without scripts: a build would remove dist/ while other tests use it.
  await run(folder, 'npm', 'pack', '--ignore-scripts', '--pack-destination', directory);
  const tarball = (await readdir(directory)).find((name) => name.endsWith('.tgz'));
  assert.ok(tarball !== undefined);
  return join(directory, tarball);
}

/** Name of the npm package with the Node binary for this machine. */
function nodePackage(): string {
  const { arch, platform } = process;
  const family = platform === 'darwin' && arch === 'arm64' ? 'node-bin' : 'node';
  return [family, platform === 'win32' ? 'win' : platform, arch].join('-');
}

/**
 * Installs the newest version of a package in a range, once in the life of `node_modules`.
 * @param label name of the program in the package, for its directory in the cache
 * @returns the directory of the package
 */
export async function installOnce(label: string, name: string, range: string): Promise<string> {
  const cache = join(ROOT, 'node_modules', '.cache');
  const home = join(cache, `${label}-${range}`);
  if (!existsSync(home)) {
    await mkdir(cache, { recursive: true });
    // Installed elsewhere and moved when complete, because several runs may do this at the same time.
    const draft = await mkdtemp(join(cache, 'draft-'));
    await createProject(draft, `${name}@${range}`);
    await rename(draft, home).catch(() => rm(draft, { recursive: true }));
  }
  return join(home, 'node_modules', name);
}

/** Installs the newest Node of a range of versions. @returns the path of its binary */
export async function installNode(range: string): Promise<string> {
  const directory = await installOnce('node', nodePackage(), range);
  return join(directory, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
}

export interface ServingProgram {
  readonly port: number;
  stop(): Promise<void>;
}

/** Runs a program that serves, on an ephemeral port whichever port it names itself. */
export async function startServing(file: string): Promise<ServingProgram> {
  const program = new Program(process.execPath, ['--import', ANY_PORT, file], { ipc: true });
  const port = await program.nextMessage();
  assert.ok(typeof port === 'number');
  const stop = async (): Promise<void> => {
    await program.stop();
    assert.equal(program.stderr, '');
  };
  return { port, stop };
}
