/** Scripts that the router serves from the files of packages. */
import { readFile } from 'node:fs/promises';
// A default import, because webpack replaces calls of a named import of `createRequire`.
import nodeModule from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { quoteForLog } from '../base/logging.ts';
import type { OperatorWarning } from '../http/operator-warnings.ts';
import { JAVASCRIPT } from '../http/headers.ts';
import type { RequestContext } from '../http/request-context.ts';
import { etagOf, respondCacheable } from './cacheable.ts';

const CACHE_CONTROL = 'public, max-age=3600';

interface Script {
  /** All responses share these bytes. */
  readonly body: Buffer;
  readonly etag: string;
}

/** Returns this file, from which a package finds itself. An ES module has none, and webpack believes that it has. */
function ownFile(): string | undefined {
  try {
    return __filename;
  } catch {
    return undefined;
  }
}

/** Finds a file of a package as an `import` of the application would, or returns undefined. */
export function findPackageFile(specifier: string): URL | undefined {
  for (const from of [process.argv[1], join(process.cwd(), 'index.js'), ownFile()]) {
    if (from === undefined) continue;
    try {
      return pathToFileURL(nodeModule.createRequire(from).resolve(specifier));
    } catch {
      // Not installed there.
    }
  }
  return undefined;
}

async function read(file: URL): Promise<Script> {
  const body = await readFile(file);
  return { body, etag: etagOf(body) };
}

const NOT_FOUND = new Set<unknown>(['ENOENT', 'ENOTDIR']);

/** A script that is read once, unless that fails: a lack of file descriptors, for example, passes. */
export class ScriptFile {
  readonly #file: URL | undefined;
  readonly #unreadable: OperatorWarning;
  #reading: Promise<Script> | undefined;

  /** @param unreadable warning for a file that exists and cannot be read */
  constructor(file: URL | undefined, unreadable: OperatorWarning) {
    this.#file = file;
    this.#unreadable = unreadable;
  }

  /** Responds with the script. @param onMissing responds if there is no file */
  async serve(context: RequestContext, onMissing: () => void): Promise<void> {
    const script = await this.#load();
    if (script === undefined) return onMissing();
    if (script instanceof Error) {
      context.state.warnings.warn(this.#unreadable, quoteForLog(script.message));
      return context.refuse('internalError');
    }
    context.headers.push('Cache-Control', CACHE_CONTROL, 'X-Content-Type-Options', 'nosniff');
    return respondCacheable(context, JAVASCRIPT, script.etag, [script.body]);
  }

  /** Returns undefined if there is no file, or the error of the file system. Only success is memoized. */
  async #load(): Promise<Script | Error | undefined> {
    if (this.#file === undefined) return undefined;
    const reading = (this.#reading ??= read(this.#file));
    try {
      return await reading;
    } catch (error) {
      if (this.#reading === reading) this.#reading = undefined;
      if (!(error instanceof Error)) throw error;
      return 'code' in error && NOT_FOUND.has(error.code) ? undefined : error;
    }
  }
}
