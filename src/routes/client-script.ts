import { readFile } from 'node:fs/promises';
// A default import, because webpack replaces calls of a named import of `createRequire`.
import nodeModule from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { REFUSALS, Refusal } from '../base/refusal.ts';
import { JAVASCRIPT } from '../http/headers.ts';
import type { Handler } from '../http/request-context.ts';
import { etagOf, respondCacheable } from './cacheable.ts';

const PACKAGE_FILE = 'sockjs-client/dist/sockjs.min.js';
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

/**
 * The script of sockjs-client that the iframe page loads. By default the router serves the file of the installed
 * package, so that no other host is involved.
 */
export class ClientScript {
  /** URL of a script on another server. */
  readonly #externalUrl: string | undefined;
  readonly #file: URL | undefined;
  #script: Promise<Script | undefined> | undefined;

  /** @param source the setting `sockjsUrl` */
  constructor(source: string | URL | undefined) {
    const url = source?.toString();
    if (url === undefined) this.#file = installedFile();
    else if (/^file:/i.test(url)) this.#file = new URL(url);
    else this.#externalUrl = url;
  }

  /** Returns the URL for the iframe page. */
  url(prefix: string): string {
    return this.#externalUrl ?? `${prefix}/sockjs.js`;
  }

  /** Serves the script. The file is read once. */
  readonly handler: Handler = async (context) => {
    const script = await (this.#script ??= this.#read());
    if (script === undefined) {
      if (this.#externalUrl !== undefined) return context.refuse('notFound');
      context.state.warnings.warn('clientScript');
      return context.refuse('notFound', NOT_INSTALLED);
    }
    context.headers.push('Cache-Control', CACHE_CONTROL, 'X-Content-Type-Options', 'nosniff');
    return respondCacheable(context, JAVASCRIPT, script.etag, script.body);
  };

  async #read(): Promise<Script | undefined> {
    if (this.#file === undefined) return undefined;
    try {
      const body = await readFile(this.#file, 'utf8');
      return { body, etag: etagOf(body) };
    } catch {
      return undefined;
    }
  }
}
