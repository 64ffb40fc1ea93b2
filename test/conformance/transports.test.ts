/** PROTOCOL "Transports": the responses of each HTTP transport, byte by byte and chunk by chunk. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SockJSConnection } from '../../src/index.ts';
import { startServices } from './services.ts';
import {
  HTMLFILE,
  HTTP_TRANSPORTS,
  type HttpTransport,
  JSONP,
  POLLING_TRANSPORTS,
  STREAMING_TRANSPORTS,
  XHR,
  XHR_STREAMING,
  decodeFrame,
  newSession,
  parseMessages,
} from '../../testkit/transports.ts';
import { Receiver, poll, sendMessages } from '../../testkit/sockjs-http.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { startRouter } from '../../testkit/server.ts';

const { port } = await startServices();

for (const transport of HTTP_TRANSPORTS) {
  test(`${transport.name}: the content type is ${transport.contentType}`, async () => {
    const receiver = new Receiver(port, newSession(), transport);
    const head = await receiver.head();
    assert.equal(head.status, 200);
    assert.deepEqual(head.all('Content-Type'), [transport.contentType]);
    receiver.close();
  });
}

for (const transport of STREAMING_TRANSPORTS) {
  test(`${transport.name}: prelude, o and each frame are separate chunks`, async () => {
    const session = newSession();
    const receiver = new Receiver(port, session, transport);
    const head = await receiver.head();
    assert.equal(head.header('Transfer-Encoding'), 'chunked');
    assert.equal(head.header('Content-Length'), undefined);
    assert.equal(await receiver.chunk(), transport.prelude);
    assert.equal(await receiver.chunk(), transport.encode('o'));
    await sendMessages(port, session, 'x');
    assert.equal(await receiver.chunk(), transport.encode('a["x"]'));
    await sendMessages(port, session, 'y', 'z');
    assert.equal(await receiver.chunk(), transport.encode('a["y","z"]'));
    receiver.close();
  });

  test(`${transport.name}: o and the close frame are two chunks, and the response ends`, async () => {
    const receiver = new Receiver(port, newSession('/close'), transport);
    assert.equal(await receiver.chunk(), transport.prelude);
    assert.equal(await receiver.chunk(), transport.encode('o'));
    assert.equal(await receiver.chunk(), transport.encode('c[3000,"Go away!"]'));
    assert.equal(await receiver.chunk(), undefined);
    receiver.close();
  });

  test(`${transport.name}: a response ends with the frame that reaches the limit of 4096 bytes`, async () => {
    const session = newSession();
    const receiver = new Receiver(port, session, transport);
    assert.equal(await receiver.frame(), 'o');
    const frame = transport.encode(`a["${'x'.repeat(128)}"]`);
    const frames = Math.ceil((4096 - transport.encode('o').length) / frame.length);
    for (let count = 0; count < frames; count += 1) {
      await sendMessages(port, session, 'x'.repeat(128));
      assert.equal(await receiver.chunk(), frame);
    }
    assert.equal(await receiver.chunk(), undefined);
    receiver.close();
  });

  test(`${transport.name}: the next response continues the session`, async () => {
    const session = newSession();
    const first = new Receiver(port, session, transport);
    assert.equal(await first.frame(), 'o');
    await sendMessages(port, session, 'x'.repeat(4096));
    assert.deepEqual(parseMessages(await first.frame()), ['x'.repeat(4096)]);
    assert.equal(await first.frame(), undefined);
    await sendMessages(port, session, 'between');
    const second = new Receiver(port, session, transport);
    assert.equal(await second.frame(), 'a["between"]');
    await sendMessages(port, session, 'after');
    assert.equal(await second.frame(), 'a["after"]');
    first.close();
    second.close();
  });

  test(`${transport.name}: the prelude does not count towards the limit`, async (t) => {
    const responseLimit = transport.encode('o').length + 1;
    const { port: own } = await startRouter(t, { responseLimit });
    const session = newSession();
    const receiver = new Receiver(own, session, transport);
    assert.equal(await receiver.frame(), 'o');
    await sendMessages(own, session, 'x');
    assert.equal(await receiver.frame(), 'a["x"]');
    assert.equal(await receiver.frame(), undefined);
    receiver.close();
  });

  test(`${transport.name}: the limit is 128 KiB by default`, async (t) => {
    const { port: own } = await startRouter(t);
    const session = newSession();
    const receiver = new Receiver(own, session, transport);
    assert.equal(await receiver.frame(), 'o');
    const framing = transport.encode('o').length + 2 * transport.encode('a[""]').length;
    const half = 64 * 1024 - Math.ceil(framing / 2);
    // Two messages stay just below the limit, and the third reaches it.
    for (const message of ['x'.repeat(half), 'y'.repeat(half - 2), 'z'.repeat(9)]) {
      await sendMessages(own, session, message);
      assert.deepEqual(parseMessages(await receiver.frame()), [message]);
    }
    assert.equal(await receiver.frame(), undefined);
    receiver.close();
  });

  test(`${transport.name}: one frame may be longer than the limit`, async () => {
    const session = newSession();
    const receiver = new Receiver(port, session, transport);
    assert.equal(await receiver.frame(), 'o');
    await sendMessages(port, session, 'x'.repeat(100_000));
    assert.deepEqual(parseMessages(await receiver.frame()), ['x'.repeat(100_000)]);
    assert.equal(await receiver.frame(), undefined);
    receiver.close();
  });
}

test('xhr_streaming: 31 messages of 128 characters fill a response of 4096 bytes', async () => {
  const session = newSession();
  const receiver = new Receiver(port, session, XHR_STREAMING);
  assert.equal(await receiver.frame(), 'o');
  for (let count = 0; count < 31; count += 1) {
    await sendMessages(port, session, 'x'.repeat(128));
    assert.equal(await receiver.frame(), `a["${'x'.repeat(128)}"]`);
  }
  assert.equal(await receiver.frame(), undefined);
  receiver.close();
});

for (const transport of POLLING_TRANSPORTS) {
  test(`${transport.name}: a response is exactly one frame`, async () => {
    const session = newSession();
    const request = { method: transport.method, path: `${session}/${transport.path}` };
    assert.equal((await httpRequest(port, request)).body, transport.encode('o'));
    await sendMessages(port, session, 'x');
    await sendMessages(port, session, 'y');
    assert.equal((await httpRequest(port, request)).body, transport.encode('a["x","y"]'));
  });

  test(`${transport.name}: a poll waits for a message`, async () => {
    const session = newSession();
    assert.equal(await poll(port, session, transport), 'o');
    const pending = new Receiver(port, session, transport);
    await sendMessages(port, session, 'now');
    assert.equal(await pending.frame(), 'a["now"]');
    assert.equal(await pending.frame(), undefined);
    pending.close();
  });
}

for (const transport of HTTP_TRANSPORTS) {
  for (const text of [
    '</script>',
    '<!--<script>',
    ']]>',
    '\u2028',
    "');alert('",
    '%0d%0a',
    'é😀',
  ]) {
    test(`${transport.name}: ${JSON.stringify(text)} arrives, and is escaped`, async () => {
      const session = newSession();
      let receiver = new Receiver(port, session, transport);
      assert.equal(await receiver.frame(), 'o');
      if (!transport.isStreaming) receiver = new Receiver(port, session, transport);
      await sendMessages(port, session, text);
      const chunk = (await receiver.chunk()) ?? '';
      assert.deepEqual(parseMessages(decodeFrame(transport, chunk)), [text]);
      const escaped = transport.pattern.exec(chunk)?.[1] ?? '';
      if (transport === HTMLFILE || transport === JSONP)
        assert.doesNotMatch(escaped, /<\/script|<!--/i);
      receiver.close();
    });
  }
}

test('eventsource: % is percent-encoded, because the client calls decodeURI', async () => {
  const session = newSession();
  const receiver = new Receiver(port, session, {
    ...XHR,
    method: 'GET',
    path: 'eventsource',
  });
  assert.equal(await receiver.chunk(), '\r\n');
  assert.equal(await receiver.chunk(), 'data: o\r\n\r\n');
  await sendMessages(port, session, '100 %, %25\r\n\0');
  const data = String.raw`a["100 %25, %2525\r\n\u0000"]`;
  assert.equal(await receiver.chunk(), `data: ${data}\r\n\r\n`);
  receiver.close();
});

test('htmlfile: the page has more than 1024 bytes and names the callback', async () => {
  const receiver = new Receiver(port, newSession(), {
    ...HTMLFILE,
    path: 'htmlfile?c=a.b_c-1',
  });
  const page = (await receiver.chunk()) ?? '';
  assert.equal(page.trimEnd(), HTMLFILE.prelude.trimEnd().replace('callback', 'a.b_c-1'));
  assert.match(page.slice(1024), /^ +\r\n\r\n$/);
  receiver.close();
});

test('jsonp: the content type is not sniffed', async () => {
  const receiver = new Receiver(port, newSession(), JSONP);
  assert.equal((await receiver.head()).header('X-Content-Type-Options'), 'nosniff');
  receiver.close();
});

// The callback

const CALLBACK_TRANSPORTS: readonly { transport: HttpTransport; path: string }[] = [
  { transport: HTMLFILE, path: 'htmlfile' },
  { transport: JSONP, path: 'jsonp' },
];
for (const { transport, path } of CALLBACK_TRANSPORTS) {
  for (const query of ['', '?c=', '?callback=', '?d=callback', '?c']) {
    test(`${transport.name}${query}: a callback is required`, async () => {
      const session = newSession();
      const { status, body, head } = await httpRequest(port, {
        path: `${session}/${path}${query}`,
      });
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
    test(`${transport.name}?c=${callback}: the callback is refused`, async () => {
      const session = newSession();
      const { status, body } = await httpRequest(port, {
        path: `${session}/${path}?c=${callback}`,
      });
      assert.deepEqual({ status, body }, { status: 500, body: 'invalid "callback" parameter' });
      assert.equal(await poll(port, session), 'o', 'no session was opened');
    });
  }

  for (const query of ['c=%63allback', 'callback=callback', 'x=1&c=callback&y=2']) {
    test(`${transport.name}?${query}: the callback is accepted`, async () => {
      const withQuery = { ...transport, path: `${path}?${query}` };
      const receiver = new Receiver(port, newSession(), withQuery);
      assert.equal(await receiver.frame(), 'o');
      receiver.close();
    });
  }
}

for (const callback of ['a', 'Az09-_.', 'x.y.z', '_jp.abcdef0', '0']) {
  test(`jsonp: the callback ${callback} is called`, async () => {
    const { body } = await httpRequest(port, { path: `${newSession()}/jsonp?c=${callback}` });
    assert.equal(body, `/**/${callback}("o");\r\n`);
  });
}

// Across transports

test('a session may change its transport', async () => {
  const session = newSession();
  assert.equal(await poll(port, session, JSONP), 'o');
  for (const transport of HTTP_TRANSPORTS) {
    const receiver = new Receiver(port, session, transport);
    await sendMessages(port, session, 'x'.repeat(4096));
    assert.deepEqual(parseMessages(await receiver.frame()), ['x'.repeat(4096)]);
    assert.equal(await receiver.frame(), undefined);
    receiver.close();
  }
});

test('messages that are sent in one callback are one frame', async (t) => {
  class Sender extends SockJSConnection {
    override onMessage(): void {
      for (let count = 0; count < 16; count += 1) this.send(String(count));
    }
  }
  const { port: own } = await startRouter(t, {}, Sender);
  const session = newSession();
  const receiver = new Receiver(own, session, XHR_STREAMING);
  assert.equal(await receiver.frame(), 'o');
  await sendMessages(own, session, 'go');
  const expected = Array.from({ length: 16 }, (_, index) => String(index));
  assert.deepEqual(parseMessages(await receiver.frame()), expected);
  receiver.close();
});

for (const transport of HTTP_TRANSPORTS) {
  test(`${transport.name}: the transport can be disabled`, async (t) => {
    const { port: own } = await startRouter(t, { disabledTransports: [transport.name] });
    const { method, path } = transport;
    assert.equal((await httpRequest(own, { method, path: `${newSession()}/${path}` })).status, 404);
    const other = transport === XHR ? JSONP : XHR;
    assert.equal(await poll(own, newSession(), other), 'o');
  });
}
