import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectionCreator } from '../../src/api/connection-factory.ts';
import { multiplex } from '../../src/extras/multiplex.ts';
import { type ConnectionInit, SockJSConnection, SockJSRouter } from '../../src/index.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { Echo, startRouter } from '../../testkit/server.ts';

class Greeter extends SockJSConnection<string> {
  readonly #greeting: string;

  constructor(greeting: string) {
    super();
    this.#greeting = greeting;
  }

  override onOpen(): void {
    this.send(`${this.#greeting}, ${this.user}`);
  }
}

function createGreeter({ transport, info }: ConnectionInit<string>): Greeter {
  return new Greeter(`${transport} from ${info.ip}: hello`);
}

const FACTORIES: readonly (readonly [name: string, factory: unknown])[] = [
  ['an arrow function', (init: ConnectionInit<string>) => createGreeter(init)],
  ['a function', createGreeter],
  ['a bound function', createGreeter.bind(undefined)],
  ['a method', { create: (init: ConnectionInit<string>) => createGreeter(init) }.create],
];

for (const [name, factory] of FACTORIES) {
  test(`${name} creates the connection of each client`, async (t) => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- one of the factories above
    const create = factory as (init: ConnectionInit<string>) => Greeter;
    const { port } = await startRouter(t, { authorize: () => 'Ada' }, create as never);
    const socket = await openWebSocket(t, port, '/echo/websocket');
    assert.equal(await socket.next(), 'rawwebsocket from 127.0.0.1: hello, Ada');
  });
}

test('a factory creates the connections of a channel', async (t) => {
  const Channels = multiplex({ echo: () => new Echo() });
  const { port } = await startRouter(t, {}, Channels);
  const socket = await openWebSocket(t, port, '/echo/websocket');
  socket.send('sub,echo');
  socket.send('msg,echo,hello');
  assert.equal(await socket.next(), 'msg,echo,hello');
});

class Plain {
  onMessage(): void {}
}

const REFUSED: readonly (readonly [name: string, value: unknown])[] = [
  ['a class that does not extend SockJSConnection', Plain],
  ['an instance', new Echo()],
  ['a string', '/echo'],
  ['undefined', undefined],
  ['an object', {}],
];

for (const [name, value] of REFUSED) {
  test(`${name} is refused`, () => {
    assert.throws(() => new SockJSRouter(value as never, '/echo'), {
      code: 'ERR_ARGUMENT',
      message: /^The first argument must be a class that extends SockJSConnection, or a function/,
    });
  });
}

test('a factory that returns no connection refuses the client and is logged', async (t) => {
  const { port, logger } = await startRouter(t, {}, (() => ({})) as never);
  await assert.rejects(openWebSocket(t, port, '/echo/websocket'), { status: 500 });
  const [entry] = logger.take();
  assert.equal(entry?.level, 'error');
  assert.match(entry.line, /A connection factory must return an instance of SockJSConnection/);
});

test('the message names the position of the value', () => {
  assert.throws(() => connectionCreator(Plain as never, "Channel 'x'", 'ERR_SETTING'), {
    code: 'ERR_SETTING',
    message: /^Channel 'x' must be/,
  });
});
