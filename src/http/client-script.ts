/**
 * The script of sockjs-client that the iframe page loads: by default the file of the package that the
 * application has installed, served by the router itself, so that no third host is ever involved.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
// Imported as a whole: webpack replaces calls of an imported `createRequire` when it bundles.
import nodeModule from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const PACKAGE_FILE = 'sockjs-client/dist/sockjs.min.js';

export interface Script {
  readonly body: string;
  readonly etag: string;
}

export function etagOf(body: string): string {
  return `"${createHash('sha256').update(body).digest('hex').slice(0, 32)}"`;
}

/** Looks where the application's own `import 'sockjs-client'` would find it. */
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

export class ClientScript {
  /** What the `src` of the script element says, below the prefix or as a whole. */
  readonly #external: string | undefined;
  readonly #file: URL | undefined;
  #script: Promise<Script | undefined> | undefined;

  /** @param source the setting `sockjsUrl` */
  constructor(source: string | URL | undefined) {
    const url = source?.toString();
    if (url === undefined) this.#file = installedFile();
    else if (/^file:/i.test(url)) this.#file = new URL(url);
    else this.#external = url;
  }

  /** Whether browsers are sent elsewhere for it. */
  get isExternal(): boolean {
    return this.#external !== undefined;
  }

  /** The address for the iframe page. */
  url(prefix: string): string {
    return this.#external ?? `${prefix}/sockjs.js`;
  }

  /** The file that the router serves, read once; undefined if there is none or it cannot be read. */
  async load(): Promise<Script | undefined> {
    return (this.#script ??= this.#read());
  }

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
