import type { Transport } from '../transport.ts';
import { openByPost } from './http.ts';

/** A response that carries many frames, read while it arrives. */
export const xhrStreaming: Transport = {
  name: 'xhr-streaming',
  open: (session) => openByPost(session, 'xhr_streaming'),
};
