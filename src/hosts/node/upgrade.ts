/** Parts of a WebSocket handshake that are the same over HTTP/1.1 and HTTP/2. */
import type { ClientMemory } from '../../base/memory-budget.ts';
import type { Refusal } from '../../base/refusal.ts';
import type { HostSettings, Upgrade } from '../../http/exchange.ts';
import type { WebSocketConnection } from '../../http/websocket-connection.ts';
import { acceptDeflate, readExtensionOffers } from '../../websocket/extension-offers.ts';
import { INVALID_EXTENSIONS, type UpgradeRequest, headerOf } from '../../websocket/handshake.ts';
import { CompressedWebSocket } from './compressed-websocket.ts';
import type { UnderlyingStream } from './connection-stream.ts';
import { NodeWebSocket } from './node-websocket.ts';

/** Length from which messages are compressed, unless the setting has another one. */
const DEFAULT_THRESHOLD_BYTES = 1024;

/**
 * Negotiates the extensions of a WebSocket request.
 * @param refusal refusal of an invalid request
 * @param accept completes the handshake. `extension` is permessage-deflate with its parameters, if it was negotiated
 */
export function negotiateUpgrade(
  request: Pick<UpgradeRequest, 'headers'>,
  refusal: Refusal | undefined,
  settings: HostSettings,
  accept: (extension: string | undefined, memory: ClientMemory) => WebSocketConnection,
): Upgrade {
  if (refusal !== undefined) return { type: 'refused', refusal };
  const offers =
    settings.compression === false
      ? []
      : readExtensionOffers(headerOf(request, 'sec-websocket-extensions'));
  if (offers === undefined) return { type: 'refused', refusal: INVALID_EXTENSIONS };
  const extension = acceptDeflate(offers);
  return { type: 'websocket', accept: (memory) => accept(extension, memory) };
}

/**
 * Creates the WebSocket of a stream whose handshake is complete.
 * @param extension permessage-deflate with its parameters, if it was negotiated
 */
export function createWebSocket(
  stream: UnderlyingStream,
  settings: HostSettings,
  extension: string | undefined,
  memory: ClientMemory,
): WebSocketConnection {
  if (extension === undefined || settings.compression === false)
    return new NodeWebSocket(stream, settings, memory);
  const { threshold = DEFAULT_THRESHOLD_BYTES } = settings.compression;
  return new CompressedWebSocket(stream, settings, memory, threshold);
}
