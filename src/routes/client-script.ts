import { REFUSALS, Refusal } from '../base/refusal.ts';
import type { Handler } from '../http/request-context.ts';
import { ScriptFile, findPackageFile } from './script-file.ts';

const PACKAGE_FILE = 'sockjs-client/dist/sockjs.min.js';
const OWN_URL = 'sockjs.js';

const NOT_INSTALLED = new Refusal(
  REFUSALS.notFound.status,
  'Not found: sockjs-client is not installed on this server.',
);

/**
 * The script of sockjs-client that the iframe page loads. By default the router serves the file of the installed
 * package, so that no other host is involved.
 */
export class ClientScript {
  /** URL of a script on another server. */
  readonly #externalUrl: string | undefined;
  readonly #file: ScriptFile;

  /** @param source the setting `sockjsUrl` */
  constructor(source: string | URL | undefined) {
    const url = source?.toString();
    const isFile = url !== undefined && /^file:/i.test(url);
    if (!isFile) this.#externalUrl = url;
    const file = url === undefined ? findPackageFile(PACKAGE_FILE) : undefined;
    this.#file = new ScriptFile(isFile ? new URL(url) : file, 'clientScriptUnreadable');
  }

  /** URL for the iframe page. It is relative by default, since a proxy may strip a part of the path. */
  get url(): string {
    return this.#externalUrl ?? OWN_URL;
  }

  readonly handler: Handler = (context) =>
    this.#file.serve(context, () => {
      if (this.#externalUrl !== undefined) return context.refuse('notFound');
      context.state.warnings.warn('clientScript');
      return context.refuse('notFound', NOT_INSTALLED);
    });
}
