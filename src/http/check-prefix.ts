import { describeValue } from '../base/describe-value.ts';
import { SockJSError } from '../base/errors.ts';

/** Path as clients send it: '' or segments, each after a slash. */
const PREFIX = /^(\/[!-.0->@-~]+)*$/;
/** Beginning of a URL with a host. */
const HOST = /^(?:[a-z][a-z0-9+.-]*:)?\/\/[^/?#]+/i;
/** Parts of the path patterns and regular expressions of other routers. */
const PATTERN = /(^|\/):|[*[\]{}|\\^]|\.\+|\(\?/;
const PRINTABLE_ASCII = /^[!-~]*$/;

function use(prefix: string): string {
  return PREFIX.test(prefix) ? ` Use '${prefix}'.` : '';
}

/** Returns the path of a prefix in the form in which clients send it: encoded, and without dot segments. */
function asSent(prefix: string): string {
  try {
    return new URL(`http://host${prefix}`).pathname;
  } catch {
    return prefix;
  }
}

/** Returns the fault of a prefix with a remedy, or undefined. */
function findFault(prefix: string): string | undefined {
  if (prefix === '') return undefined;
  if (HOST.test(prefix)) {
    const path = prefix.replace(HOST, '').replace(/\/*([?#].*)?$/s, '');
    return `it has a host, and must be the path alone.${use(path)}`;
  }
  if (PATTERN.test(prefix)) {
    return 'patterns are not supported. Clients can send what varies in the query, which info.arguments has.';
  }
  if (/[?#]/.test(prefix)) {
    return `it has a query or a fragment, and must be the path alone.${use(prefix.replace(/\/?[?#].*$/s, ''))}`;
  }
  const trimmed = `/${prefix.replaceAll(/^\/+|\/+$/g, '')}`;
  if (!prefix.startsWith('/')) return `the slash at its beginning is missing.${use(trimmed)}`;
  if (trimmed === '/') return "a router for the whole site has the prefix ''.";
  if (prefix.endsWith('/')) return `it has a slash at its end.${use(trimmed)}`;
  if (prefix.includes('//'))
    return `it has two slashes in a row.${use(prefix.replaceAll(/\/+/g, '/'))}`;
  const sent = asSent(prefix);
  if (sent === prefix && PREFIX.test(prefix)) return undefined;
  if (PRINTABLE_ASCII.test(prefix)) return `clients send another path.${use(sent)}`;
  return `it must be in printable ASCII, as clients send it: percent-encoded.${use(sent)}`;
}

/** @throws SockJSError `ERR_SETTING` if a value is not a valid prefix */
export function checkPrefix(prefix: unknown): void {
  const fault =
    typeof prefix === 'string'
      ? findFault(prefix)
      : 'it is not a string. The settings are the third argument.';
  if (fault === undefined) return;
  throw new SockJSError(
    'ERR_SETTING',
    `The prefix must be '' or a path such as '/echo', not ${describeValue(prefix)}: ${fault}`,
  );
}
