import type { Transport } from '../transport.ts';
import { openByPost } from './http.ts';

/** One frame in each response, which works behind every proxy. */
export const xhrPolling: Transport = {
  name: 'xhr-polling',
  open: (session) => openByPost(session, 'xhr'),
};
