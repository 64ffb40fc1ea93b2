/** Prefixes of routers, and request targets below them. */
import { SockJSError } from '../base/errors.ts';

/** Path and query of a request target. `http://host/path` counts as `/path`. */
export interface RequestTarget {
  /** Undecoded. */
  readonly path: string;
  /** Query without '?', undecoded, or ''. */
  readonly query: string;
}

/** Splits a request target. It never throws, since the target is client input. */
export function splitTarget(url: string): RequestTarget {
  let start = 0;
  if (!url.startsWith('/')) {
    const scheme = url.indexOf('://');
    const slash = scheme < 0 ? -1 : url.indexOf('/', scheme + 3);
    start = slash < 0 ? url.length : slash;
  }
  const mark = url.indexOf('?', start);
  if (mark < 0) return { path: url.slice(start), query: '' };
  return { path: url.slice(start, mark), query: url.slice(mark + 1) };
}

const SLASH = 47;

/** Returns the target below a prefix, or undefined if it is not below it. A path of '/' becomes ''. */
export function stripPrefix(target: RequestTarget, prefix: string): RequestTarget | undefined {
  const { path, query } = target;
  if (!path.startsWith(prefix)) return undefined;
  if (path.length > prefix.length && path.charCodeAt(prefix.length) !== SLASH) return undefined;
  const below = path.slice(prefix.length);
  return { path: below === '/' ? '' : below, query };
}

/** The router for a request, and the target below its prefix. */
export interface FoundRouter<Router> {
  readonly router: Router;
  readonly target: RequestTarget;
}

/** Routers of one server by prefix. The router with the longest matching prefix serves a request. */
export class PrefixTable<Router extends { readonly prefix: string; readonly isClosed?: boolean }> {
  #routers: readonly Router[] = [];

  get size(): number {
    return this.#routers.length;
  }

  get first(): Router | undefined {
    return this.#routers[0];
  }

  /**
   * Adds a router, which replaces a closed one.
   * @throws SockJSError `ERR_ATTACHED` if the table has an open router with this prefix
   */
  add(router: Router): void {
    const others = this.#routers.filter(
      ({ prefix, isClosed }) => prefix !== router.prefix || isClosed !== true,
    );
    if (others.some(({ prefix }) => prefix === router.prefix)) {
      throw new SockJSError(
        'ERR_ATTACHED',
        `A router with the prefix '${router.prefix}' is already attached to this server. ` +
          'Detach it first, or choose another prefix.',
      );
    }
    this.#routers = [...others, router].toSorted(
      (left, right) => right.prefix.length - left.prefix.length,
    );
  }

  delete(router: Router): void {
    this.#routers = this.#routers.filter((other) => other !== router);
  }

  find(target: RequestTarget): FoundRouter<Router> | undefined {
    for (const router of this.#routers) {
      const below = stripPrefix(target, router.prefix);
      if (below !== undefined) return { router, target: below };
    }
    return undefined;
  }
}
