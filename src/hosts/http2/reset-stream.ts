import type { ServerHttp2Stream } from 'node:http2';

/**
 * Closes a stream at once. Its connection stays open.
 * @param code error code of RFC 9113, section 7
 */
export function resetStream(stream: ServerHttp2Stream, code: number): void {
  if (stream.destroyed) return;
  if (!stream.closed) stream.close(code);
  stream.destroy();
}
