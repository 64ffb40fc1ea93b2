/** Warnings about connection classes whose handlers are misspelled or missing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { multiplex } from '../../src/extras/multiplex.ts';
import { webSocketHandler } from '../../src/extras/ws-compat.ts';
import { SockJSConnection, SockJSRouter } from '../../src/index.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { Echo, startRouter } from '../../testkit/server.ts';

/** Returns a class with these methods. */
function classWith(...methods: readonly string[]): new () => SockJSConnection {
  const Chat = class Chat extends SockJSConnection {};
  for (const method of methods) Object.defineProperty(Chat.prototype, method, { value() {} });
  return Chat;
}

function warningsFor(source: unknown): readonly string[] {
  const logger = new RecordingLogger();
  Reflect.construct(SockJSRouter, [source, '/chat', { logger }]);
  return logger.take().map(({ level, line }) => `${level}: ${line}`);
}

for (const [method, meant] of [
  ['onmessage', 'onMessage'],
  ['on_message', 'onMessage'],
  ['onMesage', 'onMessage'],
  ['onMessages', 'onMessage'],
  ['onData', 'onMessage'],
  ['onopen', 'onOpen'],
  ['onConnect', 'onOpen'],
  ['onclose', 'onClose'],
  ['onDisconnect', 'onClose'],
] as const) {
  test(`a class with ${method} is warned about when the router is created`, () => {
    assert.deepEqual(warningsFor(classWith(method)), [
      `warn: class Chat has ${method}, which is never called. Did you mean \`${meant}\`?`,
    ]);
  });
}

class WithoutHandlers extends SockJSConnection {
  greet(): void {
    this.send('hello');
  }
}

test('a class without handlers is warned about when the router is created', () => {
  const [line, ...others] = warningsFor(WithoutHandlers);
  assert.match(
    line ?? '',
    /^warn: class WithoutHandlers has none of the handlers onOpen, onMessage/,
  );
  assert.deepEqual(others, []);
});

class WithFields extends SockJSConnection {
  constructor() {
    super();
    Object.assign(this, { onMessage: () => undefined });
  }
}

const CORRECT: readonly (readonly [name: string, source: unknown])[] = [
  ['one handler', classWith('onOpen')],
  ['an inherited handler', class extends Echo {}],
  ['a misspelled name next to the right one', classWith('onmessage', 'onMessage')],
  ['methods of its own', classWith('onMessage', 'onlyOnce', 'onRoomChange', 'online')],
  ['handlers in fields', WithFields],
  ['the base class, for clients that only receive', SockJSConnection],
  ['channels', multiplex({ echo: Echo })],
  ['a handler for ws', webSocketHandler(() => undefined)],
  ['a factory', () => new Echo()],
];

for (const [name, source] of CORRECT) {
  test(`no warning: ${name}`, () => {
    assert.deepEqual(warningsFor(source), []);
  });
}

for (const [how, source] of [
  ['a factory', () => new WithoutHandlers()],
  ['a channel', multiplex({ a: WithoutHandlers })],
] as const) {
  test(`a class without handlers from ${how} is warned about once, when it is first used`, async (t) => {
    const { port, logger } = await startRouter(t, {}, source as never);
    for (let count = 0; count < 2; count += 1) {
      const socket = await openWebSocket(t, port, '/echo/websocket');
      socket.send('sub,a');
      socket.send('sub,unknown');
      if (how === 'a channel') assert.match(String(await socket.next()), /^uns,unknown/);
    }
    const lines = logger.take();
    assert.equal(lines.length, 1);
    assert.match(lines[0]?.line ?? '', /^class WithoutHandlers has none of the handlers/);
  });
}
