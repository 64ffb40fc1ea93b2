import { MAX_INFO_LENGTH } from './constants.ts';
import { type Loss, httpLoss } from './loss.ts';
import type { RequestOptions } from './options.ts';
import { readText } from './read-text.ts';
import { resourceUrl } from './session.ts';

/** Facts about a service that decide how to connect. */
export interface Info {
  /** URL for sessions. */
  readonly url: string;
  /** Whether the service allows WebSockets. */
  readonly websocket: boolean;
  /** Time to the response, in milliseconds. */
  readonly roundTrip: number;
}

/** Requests `/info`. @returns a loss if the service refuses. @throws an error if there is no service */
export async function requestInfo(
  url: string,
  request: RequestOptions,
  signal: AbortSignal,
): Promise<Info | Loss> {
  const start = Date.now();
  const response = await fetch(resourceUrl(url, 'info'), { ...request, signal });
  const roundTrip = Date.now() - start;
  if (!response.ok) return httpLoss(response.status);
  let text = '';
  await readText(response, (chunk) => {
    text += chunk;
    if (text.length > MAX_INFO_LENGTH) throw new RangeError('/info too big');
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- other values are errors, or harmless
  const info = JSON.parse(text) as { readonly websocket?: unknown; readonly base_url?: string };
  return {
    url: new URL(info.base_url ?? '', url).href,
    websocket: info.websocket !== false,
    roundTrip,
  };
}
