/** Attacks of docs/security.md by hostile pages. One test for each row. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Refusal, SockJSConnection, SockJSRouter } from '../../src/index.ts';
import {
  EVENTSOURCE,
  HTMLFILE,
  JSONP,
  TRANSPORTS,
  XHR,
  newSession,
  openRequest,
  parseMessages,
  decodeFrame,
} from '../../testkit/transports.ts';
import { RawHttpConnection, httpRequest } from '../../testkit/raw-http.ts';
import { Receiver, assertServes, poll, sendMessages } from '../../testkit/sockjs-http.ts';
import { Echo, portOf, startRouter } from '../../testkit/server.ts';

const CALLBACKS = [
  'alert(1)//',
  '<script>alert(1)</script>',
  '</script>',
  'a;alert(1)',
  "a'",
  'a"',
  'a\\',
  'a\r\nb',
  'a\u2028b',
  'a[0]',
  'é',
  '%00',
  `CWS${'M'.repeat(30)}`, // Rosetta Flash: a Flash film of letters and digits.
];

const SCRIPTED = '</script><script>alert(1)</script><!--\u2028';

test('callbacks reflected into script', async (t) => {
  const { port } = await startRouter(t);
  for (const { name } of [JSONP, HTMLFILE]) {
    for (const callback of CALLBACKS) {
      for (const argument of ['c', 'callback']) {
        await t.test(`${name}?${argument}=${JSON.stringify(callback)}`, async () => {
          const path = `${newSession()}/${name}?${argument}=${encodeURIComponent(callback)}`;
          const { status, body, head } = await httpRequest(port, { path });
          assert.equal(status, 500);
          assert.equal(body, 'invalid "callback" parameter');
          assert.match(head.header('content-type') ?? '', /^text\/plain/);
        });
      }
    }
  }
  await t.test('jsonp: a response is nothing but a script', async () => {
    const connection = new RawHttpConnection(port);
    const { body, head } = await connection.request({ path: `${newSession()}/${JSONP.path}` });
    connection.close();
    assert.ok(body.startsWith('/**/callback('));
    assert.equal(head.header('x-content-type-options'), 'nosniff');
    assert.match(head.header('content-type') ?? '', /^application\/javascript/);
  });
  for (const transport of [JSONP, HTMLFILE]) {
    await t.test(`${transport.name}: a message cannot end its script`, async () => {
      const session = newSession();
      const first = new Receiver(port, session, transport);
      assert.equal(await first.frame(), 'o');
      await sendMessages(port, session, SCRIPTED);
      const next = transport.isStreaming ? first : new Receiver(port, session, transport);
      const chunk = (await next.chunk()) ?? '';
      const script = /[pk]\(("[^]*")\)/.exec(chunk)?.[1] ?? '';
      assert.notEqual(script, '');
      assert.doesNotMatch(script, /[<\u2028]/);
      assert.deepEqual(parseMessages(decodeFrame(transport, chunk)), [SCRIPTED]);
      first.connection.close();
      next.connection.close();
    });
  }
  await assertServes(port);
});

test('reflected file download through crafted paths', async (t) => {
  const { port } = await startRouter(t);
  for (const path of [
    `${newSession()}/jsonp;/setup.bat?c=x`,
    `${newSession()}/jsonp/setup.bat?c=x`,
    `${newSession()}/jsonp.bat?c=x`,
    `${newSession()}/jsonp%2fsetup.bat?c=x`,
    '/echo/info;setup.bat',
    '/echo/info/setup.bat',
    '/echo/iframe.html;setup.bat',
    '/echo;setup.bat',
  ]) {
    await t.test(`${path.replace(/[0-9a-f-]{36}/, 's')} is nowhere`, async () => {
      assert.equal((await httpRequest(port, { path })).status, 404);
    });
  }
  await t.test('a saved jsonp response has a harmless file name', async () => {
    const { head } = await httpRequest(port, { path: `${newSession()}/jsonp?c=x` });
    assert.equal(head.header('content-disposition'), 'attachment; filename=f.txt');
  });
  await assertServes(port);
});

test('cross-site WebSocket hijacking, and reads across sites', async (t) => {
  let opened = 0;
  class Counting extends SockJSConnection {
    override onOpen(): void {
      opened += 1;
    }
  }
  const { port, logger } = await startRouter(
    t,
    { allowedOrigins: ['https://app.example'] },
    Counting,
  );
  const origins = [
    'http://evil.example',
    'null',
    `http://127.0.0.1:${port}.evil.example`,
    `http://evil127.0.0.1:${port}`,
    `http://127.0.0.1:${port}@evil.example`,
    'https://app.example.evil.example',
    'https://evilapp.example',
    'http://app.example',
    'https://app.example:8443',
  ];
  const PAGES = [
    ...origins.map((origin) => [['Origin', origin] as const]),
    [['Sec-Fetch-Site', 'cross-site'] as const],
    [['Sec-Fetch-Site', 'same-site'] as const],
    [['Referer', 'http://evil.example/page'] as const],
  ];
  for (const [header] of PAGES) {
    assert.ok(header !== undefined);
    await t.test(header.join(': ').replaceAll(String(port), 'PORT'), async () => {
      const headers = [['Host', `127.0.0.1:${port}`], header] as const;
      const info = await httpRequest(port, { path: '/echo/info', headers });
      const preflight = await httpRequest(port, { method: 'OPTIONS', path: '/echo/info', headers });
      const answers = [info, preflight];
      for (const transport of TRANSPORTS)
        answers.push(await httpRequest(port, openRequest(transport, { headers })));
      for (const { status, head } of answers) {
        assert.equal(status, 403);
        assert.deepEqual(head.all('access-control-allow-origin'), []);
        assert.deepEqual(head.all('access-control-allow-credentials'), []);
      }
    });
  }
  assert.equal(opened, 0);
  assert.ok(logger.take().length >= origins.length);
  await t.test('a page that is named gets its own origin back, and no other', async () => {
    const headers = [['Origin', 'https://app.example']] as const;
    const { status, head } = await httpRequest(port, { path: '/echo/info', headers });
    assert.equal(status, 200);
    assert.equal(head.header('access-control-allow-origin'), 'https://app.example');
    assert.match(head.header('vary') ?? '', /Origin/);
  });
});

test('header and cookie injection; line breaks in event streams', async (t) => {
  const injected = 'x\r\nSet-Cookie: evil=1';
  const { port } = await startRouter(t, {
    jsessionid: true,
    // An application that puts client input into a header gets an exception.
    authorize: (request) => {
      const wanted = request.getArgument('realm');
      return wanted === undefined ? 'somebody' : new Refusal(401, '', { Realm: wanted });
    },
  });
  const COOKIES = ['<script>x</script>', 'a b', 'a,b', 'a\\b', 'a\tb', 'é', 'x'.repeat(257), ''];
  for (const cookie of COOKIES) {
    await t.test(`JSESSIONID=${JSON.stringify(cookie.slice(0, 10))} is not echoed`, async () => {
      const headers = [['Cookie', `JSESSIONID=${cookie}`]] as const;
      const { head } = await httpRequest(port, {
        method: 'POST',
        path: `${newSession()}/xhr`,
        headers,
      });
      assert.deepEqual(head.all('set-cookie'), ['JSESSIONID=dummy; path=/']);
    });
  }
  for (const names of ['a: b', 'a\tb', '<a>', 'é', '"a"']) {
    await t.test(`requested headers ${JSON.stringify(names)} are not echoed`, async () => {
      const headers = [['Access-Control-Request-Headers', names]] as const;
      const { head } = await httpRequest(port, { method: 'OPTIONS', path: '/echo/info', headers });
      assert.deepEqual(head.all('access-control-allow-headers'), []);
    });
  }
  for (const transport of [EVENTSOURCE, XHR]) {
    await t.test(`${transport.name}: a message is one frame, whatever is in it`, async () => {
      const session = newSession();
      const text = 'a\r\n\r\ndata: c[3000,"forged"]\r\n\r\n\0%0A%0D%00%';
      const first = new Receiver(port, session, transport);
      assert.equal(await first.frame(), 'o');
      await sendMessages(port, session, text);
      const next = transport.isStreaming ? first : new Receiver(port, session, transport);
      assert.deepEqual(parseMessages(await next.frame()), [text]);
      next.connection.close();
    });
  }
  await assertServes(port);
  await t.test('a refusal cannot carry a line break into the headers', async (sub) => {
    const own = await startRouter(sub, {
      authorize: () => new Refusal(401, '', { 'WWW-Authenticate': injected }),
    });
    const { status, head } = await httpRequest(own.port, {
      method: 'POST',
      path: `${newSession()}/xhr`,
    });
    assert.equal(status, 500);
    assert.deepEqual(head.all('set-cookie'), []);
    assert.match(own.logger.take()[0]?.line ?? '', /without control characters/);
  });
});

test('close reasons put into JSON unescaped', async (t) => {
  const reason = '"]\n</script>\\\u2028,%0A"x';
  class CloseStatus extends SockJSConnection {
    override onOpen(): void {
      this.close(3001, reason);
    }
  }
  const { port } = await startRouter(t, {}, CloseStatus);
  for (const transport of [XHR, EVENTSOURCE, HTMLFILE, JSONP]) {
    await t.test(transport.name, async () => {
      const session = newSession();
      const frames = [await poll(port, session, transport)];
      if (!transport.isStreaming) frames.push(await poll(port, session, transport));
      const close = frames.join('\n').replace(/^o\n/, '');
      assert.deepEqual(JSON.parse(close.slice(1)), [3001, reason]);
    });
  }
});

test('DNS rebinding against a server on a loopback address', async (t) => {
  const router = new SockJSRouter(Echo, '/echo', { logger: false });
  t.after(() => router.close());
  const server = router.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const headers = [
    ['Host', 'rebind.example'],
    ['Origin', 'http://rebind.example'],
  ] as const;
  const request = { method: 'POST', path: `${newSession()}/xhr`, headers };
  assert.equal((await httpRequest(portOf(server), request)).status, 403);
});
