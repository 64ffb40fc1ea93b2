import type { Transport } from '../transport.ts';
import { postOutlet } from './http.ts';

interface Source {
  addEventListener(type: 'error', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { readonly data: string }) => void): void;
  close(): void;
}

/** The global, which Node has only with a flag. */
declare const EventSource: new (url: string, init: { readonly withCredentials: boolean }) => Source;

/** Server-sent events: one frame in each event. */
export const eventsource: Transport = {
  name: 'eventsource',
  open(session) {
    let source: Source;
    const listen = (): void => {
      const { frames, init } = session;
      const withCredentials = init.request.credentials === 'include';
      source = new EventSource(session.url('eventsource'), { withCredentials });
      // The server percent-encodes line breaks and `%`.
      source.addEventListener('message', ({ data }) => session.receive(data, decodeURI));
      // The response has ended or failed. The reconnect of the browser would repeat the opening request.
      source.addEventListener('error', () => {
        source.close();
        if (frames === session.frames) session.fail();
        else listen();
      });
    };
    listen();
    session.signal.addEventListener('abort', () => source.close());
    return postOutlet(session);
  },
};
