/** The target of a request below the prefix of a router, also where middleware is mounted at a path. */
import type { IncomingMessage } from 'node:http';
import { type RequestTarget, splitTarget, stripPrefix } from '../../http/prefix.ts';

/** A request of Express or Connect. Both strip the path at which middleware is mounted from `url`. */
export interface MountedRequest extends IncomingMessage {
  /** Mount path in the innermost Express application. */
  readonly baseUrl?: string | undefined;
  /** `url` as received. */
  readonly originalUrl?: string | undefined;
}

/** Returns the part of `originalUrl` that was stripped, or undefined if `url` was rewritten in another way. */
function strippedPart({ url = '', originalUrl = url }: MountedRequest): string | undefined {
  if (originalUrl.endsWith(url)) return originalUrl.slice(0, originalUrl.length - url.length);
  // Express and Connect strip '/mount?query' to '/?query'.
  const rest = url.slice(1);
  return originalUrl.endsWith(rest)
    ? originalUrl.slice(0, originalUrl.length - rest.length)
    : undefined;
}

/**
 * Finds the target of a request for middleware. The prefix of the router may be the whole path, or the path below the
 * one at which the middleware is mounted.
 * @returns undefined if the request is not below the prefix
 */
export function targetOfMounted(
  request: MountedRequest,
  prefix: string,
): RequestTarget | undefined {
  const { url = '', baseUrl = '' } = request;
  const relative = splitTarget(url);
  // Every path is below the empty prefix, so the mount path would become a part of the path.
  if (prefix === '') return stripPrefix(relative, prefix);
  for (const stripped of new Set([strippedPart(request) ?? '', baseUrl])) {
    const target = stripPrefix(splitTarget(stripped + url), prefix);
    if (target !== undefined) return target;
  }
  return stripPrefix(relative, prefix);
}
