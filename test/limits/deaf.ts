/** Clients that ask for something and then read nothing, until they are told to. */
import { type Socket, connect } from 'node:net';
import type { TestContext } from 'node:test';
import { encodeRequest } from '../support/http.ts';
import type { Transport } from './transports.ts';

/** More than kernels keep for a connection: the rest of it waits in the server. */
export const MUCH = 30_000_000;

/** Sends a request and leaves the answer where it is. */
export function deafClient(
  t: TestContext,
  port: number,
  transport: Transport,
  id = 'deaf',
): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {}); // It is cut off in the end.
  t.after(() => socket.destroy());
  socket.pause();
  socket.write(encodeRequest(transport.request({ id })));
  return socket;
}
