/** The browser client of this package as one ES module, for pages without a bundler. */
import type { Handler } from '../http/request-context.ts';
import { ScriptFile, findPackageFile } from './script-file.ts';

/** The package, relative to which the script is found. Its entries are not next to the script. */
const PACKAGE = 'sockjs-server/package.json';
const SCRIPT = 'dist/esm/client.js';

/** Returns the handler. Pages of every origin may import the script, which the browser allows only with CORS. */
export function browserClient(): Handler {
  const found = findPackageFile(PACKAGE);
  const url = found === undefined ? undefined : new URL(SCRIPT, found);
  const file = new ScriptFile(url, 'browserClientUnreadable');
  return (context) => {
    context.headers.push('Access-Control-Allow-Origin', '*');
    return file.serve(context, () => {
      context.state.warnings.warn('browserClient');
      context.refuse('notFound');
    });
  };
}
