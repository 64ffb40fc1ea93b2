/** Advice about an invalid entry of `allowedOrigins`. */
import { inspect } from 'node:util';

const HAS_SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;
const LOCAL_HOST = /^(localhost|127\.|\[)/i;
const PRINTABLE_ASCII = /^[!-~]*$/;

/** Returns the reason that an entry is not an origin, as the rest of the sentence "The entry … ". */
function findFault(entry: string): string {
  if (entry === '*') return "must not be in a list: '*' alone allows all origins";
  if (/[\s,;]/.test(entry)) return 'is not one origin: each entry of the list must be one';
  if (!HAS_SCHEME.test(entry)) return 'has no scheme';
  if (/^wss?:/i.test(entry))
    return 'has the scheme of a WebSocket, but the origin of a page has http: or https:';
  if (!PRINTABLE_ASCII.test(entry)) return 'is not in ASCII, as browsers send it: in punycode';
  const rest = entry.replace(HAS_SCHEME, '');
  if (rest.includes('@')) return 'has a user name, which no origin has';
  if (rest.endsWith('/') && rest.indexOf('/') === rest.length - 1) return 'ends with a slash';
  if (/[/?#]/.test(rest)) return 'has a path or a query, which no origin has';
  if (rest.includes('*'))
    return "has a '*' in the wrong place: use it as in 'https://*.example.com' or 'http://localhost:*'";
  return 'is not an origin';
}

/** Returns the origin that was probably meant. It may be invalid too. */
function correct(entry: string): string {
  const withScheme = HAS_SCHEME.test(entry)
    ? entry.replace(/^ws(?=s?:)/i, 'http')
    : `${LOCAL_HOST.test(entry) ? 'http' : 'https'}://${entry.replace(/^\/+/, '')}`;
  try {
    const { protocol, host } = new URL(withScheme);
    return `${protocol}//${host}`;
  } catch {
    return '';
  }
}

/**
 * Explains why a value of `allowedOrigins` is invalid, with the value that was probably meant.
 * @param isOrigin returns whether an entry is valid
 */
export function explainOrigins(
  value: unknown,
  isOrigin: (entry: unknown) => boolean,
): string | undefined {
  if (typeof value === 'string') {
    const origin = isOrigin(value) ? value : correct(value);
    return isOrigin(origin) ? `Origins must be in a list: ['${origin}'].` : undefined;
  }
  if (typeof value === 'boolean')
    return value
      ? "Use '*' to allow all origins."
      : "Use [] to allow only the server's own origin.";
  if (value instanceof RegExp) return 'Use a function instead of a regular expression.';
  const entry: unknown = Array.isArray(value) ? value.find((item) => !isOrigin(item)) : undefined;
  if (entry instanceof RegExp)
    return 'The list cannot contain regular expressions. Use a function instead of the list.';
  if (typeof entry !== 'string') return undefined;
  const origin = correct(entry);
  const advice = isOrigin(origin) ? ` Use '${origin}'.` : '';
  return `The entry ${inspect(entry)} ${findFault(entry)}.${advice}`;
}
