/** Responses with an entity tag. */
import { createHash } from 'node:crypto';
import type { Payload } from '../base/payload.ts';
import type { RequestContext } from '../http/request-context.ts';

export function etagOf(body: string | Buffer): string {
  return `"${createHash('sha256').update(body).digest('hex').slice(0, 32)}"`;
}

/** RFC 9110, section 13.1.2: the comparison is weak. */
function matchesEtag({ exchange }: RequestContext, etag: string): boolean {
  const tags = exchange.header('if-none-match')?.split(',') ?? [];
  return tags.some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag);
}

/** Responds with 304 if the client has the body with this entity tag, otherwise with the body. */
export function respondCacheable(
  context: RequestContext,
  contentType: string,
  etag: string,
  body: Payload,
): void {
  const { exchange, headers } = context;
  headers.push('ETag', etag);
  if (matchesEtag(context, etag)) return exchange.respond(304, headers);
  headers.push('Content-Type', contentType);
  return exchange.respond(200, headers, body);
}
