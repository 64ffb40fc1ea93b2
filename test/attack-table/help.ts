/** What several rows of the table of attacks share. */
import assert from 'node:assert/strict';
import { type Socket, connect } from 'node:net';
import type { TestContext } from 'node:test';
import { poll, send } from '../conformance/dialects.ts';
import { newSession } from '../conformance/services.ts';
import { type RequestOptions, encodeRequest } from '../support/http.ts';

/** Everybody else is served as if nothing had happened; `/echo` has to be an echo. */
export async function stillServes(port: number): Promise<void> {
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  await send(port, session, 'hello');
  assert.equal(await poll(port, session), 'a["hello"]');
}

/** Sends bytes, and never reads what comes back. */
export function deafClient(t: TestContext, port: number, request: RequestOptions): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {}); // It is cut off in the end.
  t.after(() => socket.destroy());
  socket.pause();
  socket.write(encodeRequest(request));
  return socket;
}
