/** PROTOCOL "Transports": how each HTTP transport answers, to the byte and to the chunk. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SockJSConnection } from '../../src/index.ts';
import { ask } from '../support/http.ts';
import { serve } from '../support/service.ts';
import {
  DIALECTS,
  type Dialect,
  HTMLFILE,
  JSONP,
  POLLING,
  Receiver,
  STREAMING,
  XHR,
  XHR_STREAMING,
  messagesIn,
  poll,
  send,
} from './dialects.ts';
import { newSession, startServices } from './services.ts';

const { port } = await startServices();

for (const dialect of DIALECTS) {
  test(`${dialect.name}: content type`, async () => {
    const receiver = new Receiver(port, newSession(), dialect);
    const head = await receiver.head();
    assert.equal(head.status, 200);
    assert.deepEqual(head.all('Content-Type'), [dialect.contentType]);
    receiver.connection.close();
  });
}

for (const dialect of STREAMING) {
  test(`${dialect.name}: prelude, o and every frame are chunks of their own`, async () => {
    const session = newSession();
    const receiver = new Receiver(port, session, dialect);
    const head = await receiver.head();
    assert.equal(head.header('Transfer-Encoding'), 'chunked');
    assert.equal(head.header('Content-Length'), undefined);
    assert.equal(await receiver.chunk(), dialect.prelude);
    assert.equal(await receiver.chunk(), dialect.wrap('o'));
    await send(port, session, 'x');
    assert.equal(await receiver.chunk(), dialect.wrap('a["x"]'));
    await send(port, session, 'y', 'z');
    assert.equal(await receiver.chunk(), dialect.wrap('a["y","z"]'));
    receiver.connection.close();
  });

  test(`${dialect.name}: o and the close frame are two chunks, then the answer ends`, async () => {
    const receiver = new Receiver(port, newSession('/close'), dialect);
    assert.equal(await receiver.chunk(), dialect.prelude);
    assert.equal(await receiver.chunk(), dialect.wrap('o'));
    assert.equal(await receiver.chunk(), dialect.wrap('c[3000,"Go away!"]'));
    assert.equal(await receiver.chunk(), undefined);
    receiver.connection.close();
  });

  test(`${dialect.name}: an answer ends with the frame that reaches the limit of 4096`, async () => {
    const session = newSession();
    const receiver = new Receiver(port, session, dialect);
    assert.equal(await receiver.frame(), 'o');
    const frame = dialect.wrap(`a["${'x'.repeat(128)}"]`);
    const fitting = Math.ceil((4096 - dialect.wrap('o').length) / frame.length);
    for (let count = 0; count < fitting; count += 1) {
      await send(port, session, 'x'.repeat(128));
      assert.equal(await receiver.chunk(), frame);
    }
    assert.equal(await receiver.chunk(), undefined);
    receiver.connection.close();
  });

  test(`${dialect.name}: the next answer goes on with the same session`, async () => {
    const session = newSession();
    const first = new Receiver(port, session, dialect);
    assert.equal(await first.frame(), 'o');
    await send(port, session, 'x'.repeat(4096));
    assert.deepEqual(messagesIn(await first.frame()), ['x'.repeat(4096)]);
    assert.equal(await first.frame(), undefined);
    await send(port, session, 'between');
    const second = new Receiver(port, session, dialect);
    assert.equal(await second.frame(), 'a["between"]');
    await send(port, session, 'after');
    assert.equal(await second.frame(), 'a["after"]');
    first.connection.close();
    second.connection.close();
  });

  test(`${dialect.name}: the prelude does not count towards the limit`, async (t) => {
    const responseLimit = dialect.wrap('o').length + 1;
    const { port: own } = await serve(t, { responseLimit });
    const session = newSession();
    const receiver = new Receiver(own, session, dialect);
    assert.equal(await receiver.frame(), 'o');
    await send(own, session, 'x');
    assert.equal(await receiver.frame(), 'a["x"]');
    assert.equal(await receiver.frame(), undefined);
    receiver.connection.close();
  });

  test(`${dialect.name}: the limit is 128 KiB by default`, async (t) => {
    const { port: own } = await serve(t);
    const session = newSession();
    const receiver = new Receiver(own, session, dialect);
    assert.equal(await receiver.frame(), 'o');
    const framing = dialect.wrap('o').length + 2 * dialect.wrap('a[""]').length;
    const half = 64 * 1024 - Math.ceil(framing / 2);
    // Two messages stay a little below the limit, a third one reaches it.
    for (const message of ['x'.repeat(half), 'y'.repeat(half - 2), 'z'.repeat(9)]) {
      await send(own, session, message);
      assert.deepEqual(messagesIn(await receiver.frame()), [message]);
    }
    assert.equal(await receiver.frame(), undefined);
    receiver.connection.close();
  });

  test(`${dialect.name}: one frame may be longer than the limit`, async () => {
    const session = newSession();
    const receiver = new Receiver(port, session, dialect);
    assert.equal(await receiver.frame(), 'o');
    await send(port, session, 'x'.repeat(100_000));
    assert.deepEqual(messagesIn(await receiver.frame()), ['x'.repeat(100_000)]);
    assert.equal(await receiver.frame(), undefined);
    receiver.connection.close();
  });
}

test('xhr_streaming: 31 messages of 128 characters fill an answer of 4096 bytes', async () => {
  const session = newSession();
  const receiver = new Receiver(port, session, XHR_STREAMING);
  assert.equal(await receiver.frame(), 'o');
  for (let count = 0; count < 31; count += 1) {
    await send(port, session, 'x'.repeat(128));
    assert.equal(await receiver.frame(), `a["${'x'.repeat(128)}"]`);
  }
  assert.equal(await receiver.frame(), undefined);
  receiver.connection.close();
});

for (const dialect of POLLING) {
  test(`${dialect.name}: an answer is one frame, exactly as it is written`, async () => {
    const session = newSession();
    const request = { method: dialect.method, path: `${session}/${dialect.target}` };
    assert.equal((await ask(port, request)).body, dialect.wrap('o'));
    await send(port, session, 'x');
    await send(port, session, 'y');
    assert.equal((await ask(port, request)).body, dialect.wrap('a["x","y"]'));
  });

  test(`${dialect.name}: a poll waits until there is something to say`, async () => {
    const session = newSession();
    assert.equal(await poll(port, session, dialect), 'o');
    const waiting = new Receiver(port, session, dialect);
    await send(port, session, 'now');
    assert.equal(await waiting.frame(), 'a["now"]');
    assert.equal(await waiting.frame(), undefined);
    waiting.connection.close();
  });
}

for (const dialect of DIALECTS) {
  for (const text of [
    '</script>',
    '<!--<script>',
    ']]>',
    '\u2028',
    "');alert('",
    '%0d%0a',
    'é😀',
  ]) {
    test(`${dialect.name}: ${JSON.stringify(text)} arrives, and breaks nothing around it`, async () => {
      const session = newSession();
      let receiver = new Receiver(port, session, dialect);
      assert.equal(await receiver.frame(), 'o');
      if (!dialect.streams) receiver = new Receiver(port, session, dialect);
      await send(port, session, text);
      const written = (await receiver.chunk()) ?? '';
      const inside = dialect.frame.exec(written)?.[1];
      assert.ok(inside !== undefined, written);
      assert.deepEqual(messagesIn(dialect.decode(inside)), [text]);
      if (dialect === HTMLFILE || dialect === JSONP) assert.doesNotMatch(inside, /<\/script|<!--/i);
      receiver.connection.close();
    });
  }
}

test('eventsource: % is percent-encoded, as the client runs decodeURI', async () => {
  const session = newSession();
  const receiver = new Receiver(port, session, {
    ...XHR,
    method: 'GET',
    target: 'eventsource',
  });
  assert.equal(await receiver.chunk(), '\r\n');
  assert.equal(await receiver.chunk(), 'data: o\r\n\r\n');
  await send(port, session, '100 %, %25\r\n\0');
  const data = String.raw`a["100 %25, %2525\r\n\u0000"]`;
  assert.equal(await receiver.chunk(), `data: ${data}\r\n\r\n`);
  receiver.connection.close();
});

test('htmlfile: the page is over 1024 bytes long and names the callback', async () => {
  const receiver = new Receiver(port, newSession(), {
    ...HTMLFILE,
    target: 'htmlfile?c=a.b_c-1',
  });
  const page = (await receiver.chunk()) ?? '';
  assert.equal(page.trimEnd(), HTMLFILE.prelude.trimEnd().replace('callback', 'a.b_c-1'));
  assert.match(page.slice(1024), /^ +\r\n\r\n$/);
  receiver.connection.close();
});

test('jsonp: content is not sniffed', async () => {
  const receiver = new Receiver(port, newSession(), JSONP);
  assert.equal((await receiver.head()).header('X-Content-Type-Options'), 'nosniff');
  receiver.connection.close();
});

// The callback

const CALLBACK_DIALECTS: readonly { dialect: Dialect; path: string }[] = [
  { dialect: HTMLFILE, path: 'htmlfile' },
  { dialect: JSONP, path: 'jsonp' },
];
for (const { dialect, path } of CALLBACK_DIALECTS) {
  for (const query of ['', '?c=', '?callback=', '?d=callback', '?c']) {
    test(`${dialect.name}${query}: a callback is required`, async () => {
      const session = newSession();
      const { status, body, head } = await ask(port, { path: `${session}/${path}${query}` });
      assert.deepEqual({ status, body }, { status: 500, body: '"callback" parameter required' });
      assert.equal(head.header('Content-Type'), 'text/plain; charset=UTF-8');
      assert.equal(await poll(port, session), 'o', 'no session was opened');
    });
  }

  for (const callback of [
    'abc%20def',
    'abc%3Balert(1)',
    'a(b',
    'a[0]',
    '%3Cscript%3E',
    'a%00',
    '%E2%82%AC',
    'a%0D%0Ab',
  ]) {
    test(`${dialect.name}?c=${callback}: the callback is invalid`, async () => {
      const session = newSession();
      const { status, body } = await ask(port, { path: `${session}/${path}?c=${callback}` });
      assert.deepEqual({ status, body }, { status: 500, body: 'invalid "callback" parameter' });
      assert.equal(await poll(port, session), 'o', 'no session was opened');
    });
  }

  for (const query of ['c=%63allback', 'callback=callback', 'x=1&c=callback&y=2']) {
    test(`${dialect.name}?${query}: the callback is found`, async () => {
      const target = `${path}?${query}`;
      const receiver = new Receiver(port, newSession(), { ...dialect, target });
      assert.equal(await receiver.frame(), 'o');
      receiver.connection.close();
    });
  }
}

for (const callback of ['a', 'Az09-_.', 'x.y.z', '_jp.abcdef0', '0']) {
  test(`jsonp: ${callback} is called`, async () => {
    const { body } = await ask(port, { path: `${newSession()}/jsonp?c=${callback}` });
    assert.equal(body, `/**/${callback}("o");\r\n`);
  });
}

// Across transports

test('a session may change its transport', async () => {
  const session = newSession();
  assert.equal(await poll(port, session, JSONP), 'o');
  for (const dialect of DIALECTS) {
    const receiver = new Receiver(port, session, dialect);
    await send(port, session, 'x'.repeat(4096));
    assert.deepEqual(messagesIn(await receiver.frame()), ['x'.repeat(4096)]);
    assert.equal(await receiver.frame(), undefined);
    receiver.connection.close();
  }
});

test('what is sent in one turn is one frame', async (t) => {
  class Chatty extends SockJSConnection {
    override onMessage(): void {
      for (let count = 0; count < 16; count += 1) this.send(String(count));
    }
  }
  const { port: own } = await serve(t, {}, Chatty);
  const session = newSession();
  const receiver = new Receiver(own, session, XHR_STREAMING);
  assert.equal(await receiver.frame(), 'o');
  await send(own, session, 'go');
  const expected = Array.from({ length: 16 }, (_, index) => String(index));
  assert.deepEqual(messagesIn(await receiver.frame()), expected);
  receiver.connection.close();
});

for (const dialect of DIALECTS) {
  test(`${dialect.name}: the transport can be disabled`, async (t) => {
    const { port: own } = await serve(t, { disabledTransports: [dialect.name] });
    const { method, target } = dialect;
    assert.equal((await ask(own, { method, path: `${newSession()}/${target}` })).status, 404);
    const other = dialect === XHR ? JSONP : XHR;
    assert.equal(await poll(own, newSession(), other), 'o');
  });
}
