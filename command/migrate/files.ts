/** Finds the files of a project, and replaces their content. */
import { randomUUID } from 'node:crypto';
import { constants, type Dirent } from 'node:fs';
import {
  access,
  chmod,
  chown,
  readFile,
  readdir,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';

const EXTENSIONS = new Set(['.js', '.cjs', '.mjs', '.jsx', '.ts', '.cts', '.mts', '.tsx']);
const DEPENDENCY_FILES = new Set([
  'package.json',
  'package-lock.json',
  'npm-shrinkwrap.json',
  'yarn.lock',
  'pnpm-lock.yaml',
]);

export type FileKind = 'program' | 'dependencies';

export interface ProjectFile {
  readonly path: string;
  readonly kind: FileKind;
}

/** Receives the path of a file or folder that cannot be read, and the reason. */
export type OnError = (path: string, error: unknown) => void;

function kindOf(name: string): FileKind | undefined {
  if (EXTENSIONS.has(extname(name))) return 'program';
  return DEPENDENCY_FILES.has(name) ? 'dependencies' : undefined;
}

function isSkipped(folder: string): boolean {
  return folder === 'node_modules' || folder.startsWith('.');
}

/** Finds the files in a folder, in alphabetical order. It follows no symbolic links. */
async function* filesIn(folder: string, onError: OnError): AsyncGenerator<ProjectFile> {
  let entries: Dirent[];
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (error) {
    onError(folder, error);
    return;
  }
  for (const entry of entries.toSorted((one, other) => (one.name < other.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    const kind = kindOf(entry.name);
    if (entry.isDirectory() && !isSkipped(entry.name)) yield* filesIn(path, onError);
    else if (entry.isFile() && kind !== undefined) yield { path, kind };
  }
}

async function* filesOf(path: string, onError: OnError): AsyncGenerator<ProjectFile> {
  const stats = await stat(path);
  if (stats.isDirectory()) yield* filesIn(path, onError);
  else if (stats.isFile()) yield { path, kind: kindOf(basename(path)) ?? 'program' };
  else throw new Error('is neither a file nor a folder');
}

/** Finds the files that are given or in given folders, each once. Their paths are absolute. */
export async function* findFiles(
  paths: readonly string[],
  onError: OnError,
): AsyncGenerator<ProjectFile> {
  const found = new Set<string>();
  for (const path of paths) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- the report has the order of the paths
      for await (const file of filesOf(await realpath(path), onError)) {
        if (!found.has(file.path)) yield file;
        found.add(file.path);
      }
    } catch (error) {
      onError(path, error);
    }
  }
}

/** Reads a file as Latin-1, so that `replaceFile` keeps each byte of any encoding. */
export async function readSource(path: string): Promise<string> {
  return readFile(path, 'latin1');
}

/** Replaces the content of a file at once, and keeps its owner and its mode. */
export async function replaceFile(path: string, source: string): Promise<void> {
  await access(path, constants.W_OK);
  const { gid, mode, uid } = await stat(path);
  const draft = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  try {
    await writeFile(draft, source, { encoding: 'latin1', flag: 'wx', flush: true });
    if (process.getuid?.() === 0) await chown(draft, uid, gid);
    await chmod(draft, mode);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}
