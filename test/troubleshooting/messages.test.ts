/** Symptoms of docs/troubleshooting.md: "Messages do not arrive". One test for each row. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import express from 'express';
import { SockJSConnection } from '../../src/index.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { connectOfficial, openOfficial } from '../../testkit/official-client.ts';
import { poll, postBody } from '../../testkit/sockjs-http.ts';
import { Echo, createRouter, startRouter, startServer } from '../../testkit/server.ts';
import { newSession } from '../../testkit/transports.ts';
import { deferred, until } from '../../testkit/until.ts';

test('`InvalidStateError: The connection has not been established yet`', async (t) => {
  const { url } = await startRouter(t);
  const client = connectOfficial(t, url);
  assert.throws(() => client.send('hello'), {
    message: 'InvalidStateError: The connection has not been established yet',
  });
  assert.equal(await client.opened(), true);
  client.send('hello');
  assert.equal(await client.next(), 'hello');
});

test('messages never reach the handler', async (t) => {
  const received: string[] = [];
  class Chat extends SockJSConnection {
    onmessage(message: string): void {
      received.push(message);
    }
  }
  const { url, router, logger } = await startRouter(t, {}, Chat);
  assert.match(logger.take()[0]?.line ?? '', /^class Chat has onmessage.*Did you mean `onMessage`/);
  const client = await openOfficial(t, url);
  client.send('hello');
  await until(() => router.stats.dump().packetsRecvTotal === 1, 'the message');
  assert.deepEqual(received, []);
});

test('the first messages arrive late', async (t) => {
  const slow = deferred();
  class Slow extends Echo {
    override onOpen(): Promise<void> {
      return slow.promise;
    }
  }
  const { url } = await startRouter(t, {}, Slow);
  const client = await openOfficial(t, url);
  client.send('hello');
  await nextTurn();
  assert.equal(client.messages.size, 0);
  slow.resolve();
  assert.equal(await client.next(), 'hello');
});

test('messages over XHR get 500 `The body was read before it reached SockJS.`', async (t) => {
  const serve = async (isParserFirst: boolean): Promise<string> => {
    const logger = new RecordingLogger();
    const router = createRouter(t, {}, undefined, { logger });
    const middleware = [express.text({ type: () => true }), router.middleware];
    const app = express();
    for (const each of isParserFirst ? middleware : middleware.toReversed()) app.use(each);
    const port = await startServer(t, createServer(app));
    const session = newSession();
    assert.equal(await poll(port, session), 'o');
    const { status, body } = await postBody(port, session, '["hello"]');
    if (isParserFirst) assert.match(logger.take()[0]?.line ?? '', /before body parsers/);
    return `${status} ${body}`;
  };
  assert.equal(await serve(true), '500 The body was read before it reached SockJS.');
  assert.equal(await serve(false), '204 ');
});
