import { readFile } from 'node:fs/promises';
// A default import, because webpack replaces calls of a named import of `createRequire`.
import nodeModule from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { quoteForLog } from '../base/logging.ts';
import { REFUSALS, Refusal } from '../base/refusal.ts';
import { JAVASCRIPT } from '../http/headers.ts';
import type { Handler } from '../http/request-context.ts';
import { etagOf, respondCacheable } from './cacheable.ts';

const PACKAGE_FILE = 'sockjs-client/dist/sockjs.min.js';
const OWN_URL = 'sockjs.js';
const CACHE_CONTROL = 'public, max-age=3600';

const NOT_INSTALLED = new Refusal(
  REFUSALS.notFound.status,
  'Not found: sockjs-client is not installed on this server.',
);

interface Script {
  readonly body: string;
  readonly etag: string;
}

/** Finds the package as `import 'sockjs-client'` of the application would, or returns undefined. */
function installedFile(): URL | undefined {
  for (const from of [process.argv[1], join(process.cwd(), 'index.js')]) {
    if (from === undefined) continue;
    try {
      return pathToFileURL(nodeModule.createRequire(from).resolve(PACKAGE_FILE));
    } catch {
      // Not installed there.
    }
  }
  return undefined;
}

async function read(file: URL): Promise<Script> {
  const body = await readFile(file, 'utf8');
  return { body, etag: etagOf(body) };
}

const NOT_FOUND = new Set<unknown>(['ENOENT', 'ENOTDIR']);

/**
 * The script of sockjs-client that the iframe page loads. By default the router serves the file of the installed
 * package, so that no other host is involved.
 */
export class ClientScript {
  /** URL of a script on another server. */
  readonly #externalUrl: string | undefined;
  readonly #file: URL | undefined;
  #reading: Promise<Script> | undefined;

  /** @param source the setting `sockjsUrl` */
  constructor(source: string | URL | undefined) {
    const url = source?.toString();
    if (url === undefined) this.#file = installedFile();
    else if (/^file:/i.test(url)) this.#file = new URL(url);
    else this.#externalUrl = url;
  }

  /** URL for the iframe page. It is relative by default, since a proxy may strip a part of the path. */
  get url(): string {
    return this.#externalUrl ?? OWN_URL;
  }

  /** Serves the script. The file is read once, unless that fails: a lack of file descriptors, for example, passes. */
  readonly handler: Handler = async (context) => {
    const { warnings } = context.state;
    const script = await this.#load();
    if (script === undefined) {
      if (this.#externalUrl !== undefined) return context.refuse('notFound');
      warnings.warn('clientScript');
      return context.refuse('notFound', NOT_INSTALLED);
    }
    if (script instanceof Error) {
      warnings.warn('clientScriptUnreadable', quoteForLog(script.message));
      return context.refuse('internalError');
    }
    context.headers.push('Cache-Control', CACHE_CONTROL, 'X-Content-Type-Options', 'nosniff');
    return respondCacheable(context, JAVASCRIPT, script.etag, script.body);
  };

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
