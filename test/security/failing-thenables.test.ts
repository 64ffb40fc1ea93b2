/** Functions of the application that return thenables of unusual kinds, which fail. No failure ends the process. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { multiplex } from '../../src/extras/multiplex.ts';
import { webSocketHandler } from '../../src/extras/ws-compat.ts';
import { SockJSConnection, type SockJSSettings } from '../../src/index.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { startRouter } from '../../testkit/server.ts';
import { FAILING_THENABLES, FAILURE } from '../../testkit/thenables.ts';
import { newSession } from '../../testkit/transports.ts';

const HANDLERS = ['onOpen', 'onMessage', 'onBinary', 'onDrain', 'onClose'] as const;

type HandlerName = (typeof HANDLERS)[number];

/** Creates a class of which one handler returns a thenable. */
function failingIn(
  name: HandlerName,
  create: () => PromiseLike<never>,
): new () => SockJSConnection {
  class Failing extends SockJSConnection {
    override onMessage(message: string): void {
      this.send(message);
      if (message === 'close') this.close();
      if (message === 'drain') this.send('x'.repeat(200));
    }
  }
  Object.defineProperty(Failing.prototype, name, { value: create });
  return Failing;
}

function assertLogged(logger: { take(): { level: string; line: string }[] }, start: string): void {
  const errors = logger.take().filter(({ level }) => level === 'error');
  assert.equal(errors.length, 1, JSON.stringify(errors));
  assert.ok(errors[0]?.line.startsWith(start), errors[0]?.line);
  assert.ok(errors[0]?.line.includes(FAILURE), errors[0]?.line);
}

async function callHandler(
  t: TestContext,
  name: HandlerName,
  create: () => PromiseLike<never>,
): Promise<void> {
  const settings = { highWaterMark: 100 };
  const { port, logger } = await startRouter(t, settings, failingIn(name, create));
  const client = await openWebSocket(t, port, '/echo/websocket');
  if (name === 'onMessage') client.send('x');
  if (name === 'onBinary') client.send(Buffer.from('x'));
  if (name === 'onDrain') client.send('drain');
  if (name === 'onClose') client.send('close');
  const { code } = await client.closed();
  assert.equal(code, name === 'onClose' ? 3000 : 1011);
  assertLogged(logger, `Failing.${name} failed`);
}

for (const [kind, create] of Object.entries(FAILING_THENABLES)) {
  for (const name of HANDLERS) {
    test(`${name} returns ${kind}: its connection is closed with 1011`, async (t) => {
      await callHandler(t, name, create);
    });
  }

  test(`a handler of a channel returns ${kind}: the channel is closed with 1011`, async (t) => {
    const room = failingIn('onMessage', create);
    const { port, logger } = await startRouter(t, {}, multiplex({ room }));
    const client = await openWebSocket(t, port, '/echo/websocket');
    client.send('sub,room').send('msg,room,x');
    assert.equal(await client.next(), 'uns,room,1011,Internal error');
    assertLogged(logger, 'Failing.onMessage failed');
  });

  test(`a listener of ws-compat returns ${kind}: its connection is closed with 1011`, async (t) => {
    const handler = webSocketHandler((socket) => socket.on('message', (): unknown => create()));
    const { port, logger } = await startRouter(t, {}, handler);
    const client = await openWebSocket(t, port, '/echo/websocket');
    client.send('x');
    assert.equal((await client.closed()).code, 1011);
    assertLogged(logger, '');
  });

  for (const [name, settings] of [
    ['authorize', { authorize: create, allowedOrigins: '*' }],
    ['allowedOrigins', { allowedOrigins: create }],
  ] as const satisfies readonly (readonly [string, SockJSSettings])[]) {
    test(`${name} returns ${kind}: the client gets 500, and nothing stays pending`, async (t) => {
      const limits = { maxPendingDecisions: 1 };
      const { port, router, logger } = await startRouter(t, { ...settings, ...limits });
      for (let count = 1; count <= 2; count += 1) {
        const { status } = await httpRequest(port, {
          method: 'POST',
          path: `${newSession()}/xhr`,
          headers: [['Origin', 'http://other.example']],
        });
        assert.equal(status, 500);
        assert.equal(router.stats.dump().refused.internalError, count);
        logger.take();
      }
    });
  }
}
