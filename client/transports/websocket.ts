import { type Loss, isPageCode } from '../loss.ts';
import type { Transport } from '../transport.ts';

/** One frame in each WebSocket message. */
export const websocket: Transport = {
  name: 'websocket',
  open(session) {
    const socket = new WebSocket(session.url('websocket').replace(/^http/, 'ws'));
    socket.addEventListener('message', ({ data }: { data: unknown }) => {
      session.receive(typeof data === 'string' ? data : '');
    });
    socket.addEventListener('close', ({ code, reason }) => session.end({ code, reason }));
    session.signal.addEventListener('abort', () => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the session aborts with a loss
      const { code, reason } = session.signal.reason as Loss;
      if (isPageCode(code)) socket.close(code, reason);
      else socket.close();
    });
    return {
      get bufferedAmount() {
        return socket.bufferedAmount;
      },
      send(body) {
        socket.send(body);
        return undefined;
      },
    };
  },
};
