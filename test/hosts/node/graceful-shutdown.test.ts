/** Helpers that end the connections of a server, with clients of every transport connected. */
import assert from 'node:assert/strict';
import { type Server, createServer } from 'node:http';
import { test } from 'node:test';
import { createHttpTerminator } from 'http-terminator';
import stoppable from 'stoppable';
import { CLIENT_TRANSPORTS, openOfficial } from '../../../testkit/official-client.ts';
import { createRouter, listen } from '../../../testkit/server.ts';
import { httpRequest } from '../../../testkit/raw-http.ts';
import { within } from '../../../testkit/until.ts';

/** Helpers, each with the function that makes a server stoppable and returns the function that stops it. */
const HELPERS = [
  {
    name: 'stoppable',
    prepare: (server: Server) => {
      const prepared = stoppable(server, 200);
      return async (): Promise<void> =>
        new Promise((resolve) => {
          prepared.stop(() => resolve());
        });
    },
  },
  {
    name: 'http-terminator',
    prepare: (server: Server) => {
      const terminator = createHttpTerminator({ server, gracefulTerminationTimeout: 200 });
      return async (): Promise<void> => terminator.terminate();
    },
  },
] as const;

for (const { name, prepare } of HELPERS) {
  for (const order of ['before', 'after'] as const) {
    test(`after router.close(), ${name}, set up ${order} attach, stops the server, and every client has its close frame`, async (t) => {
      const server = createServer((_request, response) => response.end('own'));
      const router = createRouter(t);
      let stop: (() => Promise<void>) | undefined;
      if (order === 'before') stop = prepare(server);
      router.attach(server);
      stop ??= prepare(server);
      const port = await listen(server);
      const url = `http://127.0.0.1:${port}/echo`;
      const clients = await Promise.all(
        CLIENT_TRANSPORTS.map((transports) => openOfficial(t, url, { transports })),
      );
      await router.close();
      await within(stop(), 'the server to stop');
      for (const client of clients) {
        const { code, reason } = await client.closings.next();
        assert.deepEqual({ code, reason }, { code: 1001, reason: 'Server is going away' });
      }
      await assert.rejects(httpRequest(port, { path: '/echo' }));
    });
  }

  test(`a server that ${name} stops first still stops, and so does the router`, async (t) => {
    const server = createServer((_request, response) => response.end('own'));
    const router = createRouter(t).attach(server);
    const stop = prepare(server);
    const url = `http://127.0.0.1:${await listen(server)}/echo`;
    await Promise.all(CLIENT_TRANSPORTS.map((transports) => openOfficial(t, url, { transports })));
    await within(stop(), 'the server to stop');
    await within(router.close({ timeout: 500 }), 'the router to close');
    assert.deepEqual([...router.connections], []);
  });
}
