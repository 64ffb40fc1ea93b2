import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { connectionCreator } from '../../src/api/connection-factory.ts';
import { multiplex } from '../../src/extras/multiplex.ts';
import { type ConnectionInit, SockJSConnection, SockJSRouter } from '../../src/index.ts';
import { connectOfficial } from '../../testkit/official-client.ts';
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

/** `SockJSConnection` as another copy of the package has it. */
function otherCopy(): unknown {
  const Base = class {
    close(): void {}
  };
  Object.defineProperty(Base, 'name', { value: 'SockJSConnection' });
  return class Chat extends Base {};
}

function OldStyle(): void {}
Object.assign(OldStyle.prototype, { onMessage() {} });

const REFUSED: readonly (readonly [name: string, value: unknown, described: string])[] = [
  [
    'a class that does not extend SockJSConnection',
    Plain,
    'class Plain, which does not extend SockJSConnection',
  ],
  [
    'a function with methods in its prototype',
    OldStyle,
    'class OldStyle, which does not extend SockJSConnection',
  ],
  [
    'a class of another copy of the package',
    otherCopy(),
    'class Chat, which extends the SockJSConnection of another copy of sockjs-server. Install it once',
  ],
  ['an instance', new Echo(), 'an instance of Echo. Pass the class itself'],
  ['a string', '/echo', "'/echo'. The prefix is the second argument"],
  ['undefined', undefined, 'undefined'],
  ['an object', { prefix: '/echo' }, "{ prefix: '/echo' }"],
  ['a server', createServer(), 'an instance of Server'],
];

for (const [name, value, described] of REFUSED) {
  test(`${name} is refused, and the error describes it`, () => {
    assert.throws(() => new SockJSRouter(value as never, '/echo'), {
      code: 'ERR_ARGUMENT',
      message:
        'The first argument must be a class that extends SockJSConnection, or a function that returns an ' +
        `instance of one, not ${described}.`,
    });
  });
}

test('swapped arguments are refused', () => {
  assert.throws(() => Reflect.construct(SockJSRouter, ['/echo', Echo]), {
    code: 'ERR_ARGUMENT',
    message: /not '\/echo'\. The prefix is the second argument\.$/,
  });
});

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

class InfoInField extends SockJSConnection {
  readonly address = this.info.ip;

  override onOpen(): void {
    this.send(this.address);
  }
}

class SendInConstructor extends SockJSConnection {
  constructor() {
    super();
    this.send('welcome');
  }

  override onMessage(): void {}
}

for (const [Connection, member] of [
  [InfoInField, 'info'],
  [SendInConstructor, 'send'],
] as const) {
  test(`this.${member} before onOpen is one log line for all transports, with the class and the remedy`, async (t) => {
    const { url, logger } = await startRouter<SockJSConnection>(t, {}, Connection);
    const client = connectOfficial(t, url);
    assert.equal((await client.closed()).code, 2000);
    assert.deepEqual(logger.take(), [
      {
        level: 'error',
        line:
          `The constructor of ${Connection.name} failed; its client gets 500: SockJSError: ${Connection.name} ` +
          `uses this.${member} before it has a client. Use it in onOpen or later, not in the constructor or in a field.`,
      },
    ]);
  });
}

test('an error of a constructor is logged with its stack', async (t) => {
  class Failing extends SockJSConnection {
    constructor() {
      super();
      throw new Error('no database');
    }

    override onMessage(): void {}
  }
  const { port, logger } = await startRouter(t, {}, Failing);
  await assert.rejects(openWebSocket(t, port, '/echo/websocket'), { status: 500 });
  assert.match(
    logger.take()[0]?.line ?? '',
    /^The constructor of Failing failed; its client gets 500: Error: no database\n {4}at new Failing/,
  );
});
