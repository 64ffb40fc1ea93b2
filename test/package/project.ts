/**
 * The package as a user gets it: packed, installed into an empty project, and run by a Node of choice.
 * `dist/` has to be there; `npm test` builds it first.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { within } from './client.ts';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const FIXTURES = join(ROOT, 'test', 'fixtures');

/** Longer than a download of Node takes where the network is slow. */
const PATIENCE = 110_000;

/** The environment of this process, without what the test runner put there for its own children. */
function environment(): NodeJS.ProcessEnv {
  const own = new Set(['NODE_OPTIONS', 'NODE_TEST_CONTEXT', 'NODE_V8_COVERAGE']);
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.has(name)));
}

/** @throws an error that holds what the program printed, if it ends with another code than 0 */
export async function run(
  cwd: string,
  program: string,
  ...args: readonly string[]
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const options = { cwd, env: environment(), timeout: PATIENCE };
  try {
    return await promisify(execFile)(program, args, options);
  } catch (error) {
    const printed = ['stdout', 'stderr'].map((name) => String(Reflect.get(Object(error), name)));
    throw new Error(`${program} ${args.join(' ')}\n${printed.join('')}`, { cause: error });
  }
}

/** A directory of its own; whoever asks for it removes it. */
export async function temporaryDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'sockjs-server-'));
}

/** An empty project with what was asked for installed. */
export async function project(directory: string, ...packages: readonly string[]): Promise<string> {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'package.json'), '{ "private": true, "type": "module" }\n');
  const quietly = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  await run(directory, 'npm', 'install', ...quietly, ...packages);
  return directory;
}

/** @returns the path of the tarball */
export async function pack(directory: string): Promise<string> {
  // Without scripts: building again would pull dist/ away from under other tests.
  await run(ROOT, 'npm', 'pack', '--ignore-scripts', '--pack-destination', directory);
  const tarball = (await readdir(directory)).find((name) => name.endsWith('.tgz'));
  assert.ok(tarball !== undefined);
  return join(directory, tarball);
}

/** The npm package that holds the binary of a Node for this machine. */
function nodePackage(): string {
  const { arch, platform } = process;
  const family = platform === 'darwin' && arch === 'arm64' ? 'node-bin' : 'node';
  return [family, platform === 'win32' ? 'win' : platform, arch].join('-');
}

/**
 * A Node of the newest version that npm has in a range; installed once, kept until `node_modules` goes.
 * @returns the path of its binary
 */
export async function nodeOf(range: string): Promise<string> {
  const cache = join(ROOT, 'node_modules', '.cache');
  const home = join(cache, `node-${range}`);
  if (!existsSync(home)) {
    await mkdir(cache, { recursive: true });
    // Made elsewhere and moved when it is whole: another run may be at it at the same time.
    const draft = await mkdtemp(join(cache, 'draft-'));
    await project(draft, `${nodePackage()}@${range}`);
    await rename(draft, home).catch(() => rm(draft, { recursive: true }));
  }
  const binary = process.platform === 'win32' ? 'node.exe' : 'node';
  return join(home, 'node_modules', nodePackage(), 'bin', binary);
}

export interface Program {
  readonly port: number;
  stop(): Promise<void>;
}

async function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await within(once(child, 'exit'), 'the end of a program');
}

/** Runs a program that serves, on a free port whatever it says itself. */
export async function start(file: string): Promise<Program> {
  const execArgv = ['--import', new URL('../fixtures/any-port.mjs', import.meta.url).href];
  const child = fork(file, { execArgv, env: environment(), silent: true });
  const errors: string[] = [];
  child.stderr?.on('data', (chunk: Buffer) => errors.push(chunk.toString()));
  const failed = exitedWith(child, errors);
  const [port] = await within(Promise.race([once(child, 'message'), failed]), 'a listening server');
  assert.ok(typeof port === 'number');
  const stop = async (): Promise<void> => {
    child.kill();
    await exited(child);
    assert.equal(errors.join(''), '', 'nothing was complained of');
  };
  return { port, stop };
}

async function exitedWith(child: ChildProcess, errors: readonly string[]): Promise<never[]> {
  await exited(child);
  throw new Error(`It ended before it listened:\n${errors.join('')}`);
}
