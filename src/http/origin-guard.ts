/**
 * The one guard that decides whether a page may talk to this server; it stands before every request,
 * preflight and upgrade. Browsers say where a request comes from in `Origin` and `Sec-Fetch-Site`;
 * script and frame requests that carry no `Origin` are told by their `Referer`. A request without any
 * of these does not come from a page, and passes; over plain http, where browsers send no
 * `Sec-Fetch-Site`, a page that also hides its `Referer` can look like that to the script and frame
 * transports. (NEEDS 3; Tornado's `check_origin` has the reasons.)
 */

/**
 * Origins of pages that may connect, in addition to the server's own: `'*'` for all, a list of origins such as
 * `https://app.example.com` or, for every subdomain, `https://*.example.com`, or a function that gets the origin and
 * returns `true` to allow it.
 */
export type AllowedOrigins =
  | '*'
  | readonly string[]
  | ((origin: string) => boolean | Promise<boolean>);

/** What the guard looks at; header names in lower case. */
export interface Visitor {
  header(name: string): string | undefined;
}

export interface Verdict {
  /** Undefined if the application has to be asked. */
  readonly allowed: boolean | undefined;
  /** Where the page comes from; undefined if it hides that. For the log line of a refusal. */
  readonly origin: string | undefined;
}

const PASSES: Verdict = { allowed: true, origin: undefined };
const DEFAULT_PORTS = new Map([
  ['http:', '80'],
  ['https:', '443'],
]);

/** `host:port` in lower case, the port filled in from `scheme` where it is the default one. */
function splitOrigin(origin: string): { scheme: string; host: string; port: string } | undefined {
  const match = /^([a-z][a-z0-9+.-]*:)\/\/([^/?#@]*?)(?::(\d+))?$/.exec(origin.toLowerCase());
  if (match === null) return undefined;
  const [, scheme = '', host = '', port = DEFAULT_PORTS.get(scheme) ?? ''] = match;
  return { scheme, host, port };
}

/** The scheme is not compared: a proxy may have taken the encryption off. */
function isSameHost(origin: string, host: string | undefined): boolean {
  if (origin.slice(origin.indexOf('//') + 2) === host) return true;
  const from = splitOrigin(origin);
  if (from === undefined || from.host === '' || host === undefined) return false;
  const lower = host.toLowerCase();
  if (lower === `${from.host}:${from.port}`) return true;
  return lower === from.host && from.port === DEFAULT_PORTS.get(from.scheme);
}

function isListed(entry: string, origin: string): boolean {
  if (entry === origin) return true;
  const wanted = splitOrigin(entry);
  const from = splitOrigin(origin);
  if (wanted === undefined || from === undefined) return false;
  if (wanted.scheme !== from.scheme || wanted.port !== from.port) return false;
  if (!wanted.host.startsWith('*.')) return wanted.host === from.host;
  const parent = wanted.host.slice(1);
  return from.host.endsWith(parent) && from.host.length > parent.length;
}

function originOfReferer(referer: string | undefined): string | undefined {
  const match = /^(https?:\/\/[^/?#@]+)(?:[/?#]|$)/i.exec(referer ?? '');
  return match?.[1];
}

/** Where the page comes from that makes a request; undefined if its browser does not tell. */
export function originOfPage(visitor: Visitor): string | undefined {
  return visitor.header('origin') ?? originOfReferer(visitor.header('referer'));
}

/** Only true, now or later, admits; whatever else a function answers does not. */
function settled(answer: unknown): boolean | Promise<boolean> {
  if (!(answer instanceof Promise)) return answer === true;
  return answer.then((later) => later === true);
}

export class OriginGuard {
  readonly #allowed: AllowedOrigins;

  constructor(allowed: AllowedOrigins) {
    this.#allowed = allowed;
  }

  /** @param host that the client meant, through trusted proxies */
  judge(visitor: Visitor, host: string | undefined): Verdict {
    if (this.#allowed === '*') return PASSES;
    const site = visitor.header('sec-fetch-site');
    const named = visitor.header('origin');
    if (site === 'same-origin' || (site === 'none' && named === undefined)) return PASSES;
    const origin = originOfPage(visitor);
    if (origin === undefined) return site === undefined ? PASSES : { allowed: false, origin };
    if (isSameHost(origin, host)) return PASSES;
    if (typeof this.#allowed === 'function') return { allowed: undefined, origin };
    return { allowed: this.#allowed.some((entry) => isListed(entry, origin)), origin };
  }

  /** Asks the application. */
  ask(origin: string): boolean | Promise<boolean> {
    return typeof this.#allowed === 'function' && settled(this.#allowed(origin));
  }
}
