import type { Transport } from '../transport.ts';
import { eventsource } from './eventsource.ts';
import { websocket } from './websocket.ts';
import { xhrPolling } from './xhr-polling.ts';
import { xhrStreaming } from './xhr-streaming.ts';

/** All transports, in the order in which they are attempted. */
export const TRANSPORTS: readonly Transport[] = [websocket, xhrStreaming, eventsource, xhrPolling];
