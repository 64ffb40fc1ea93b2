/** Options of a server. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Headers, RawHttpConnection, type RawRequest } from '../../../testkit/raw-http.ts';
import { RawWebSocket, upgradeRequest } from '../../../testkit/raw-websocket.ts';
import { Receiver, poll, postBody } from '../../../testkit/sockjs-http.ts';
import { XHR, XHR_STREAMING, parseMessages } from '../../../testkit/transports.ts';
import { ORIGIN, PREFLIGHT, responses } from '../requests.ts';
import { HTTP, type Json, type Scenario } from '../scenario.ts';
import type { Stage } from '../stage.ts';

async function upgradeResponse(stage: Stage, port: number, path: string): Promise<Json> {
  const connection = new RawHttpConnection(port);
  stage.after(() => connection.close());
  return (await connection.send(upgradeRequest(path)).readHead()).status;
}

/**
 * Writes 50 messages to a streaming response. @returns the number of messages up to its end
 * @param perTurn messages that are written in one turn of the event loop
 */
async function messagesUpTo(limit: number, stage: Stage, perTurn: number): Promise<Json> {
  const service = await stage.serve({ options: { response_limit: limit } });
  const response = poll(service.port, stage.newSession(), XHR_STREAMING);
  const connection = await stage.connection(service);
  // More than the limit allows. Those after the end of the response wait for the next one.
  for (let turn = 0; turn < 50 / perTurn; turn += 1) {
    for (let sent = 0; sent < perTurn; sent += 1) connection.write('x'.repeat(128));
    await nextTurn();
  }
  const frames = (await response).split('\n').filter((frame) => frame.startsWith('a'));
  return frames.flatMap(parseMessages).length;
}

export const OPTIONS: readonly Scenario[] = [
  {
    title: 'log: a warning about short times',
    differences: [
      {
        row: 'Log lines',
        original: { warnings: [] },
        dropIn: {
          warnings: [
            'error: disconnectDelay is 60 ms. Times are in milliseconds: the default is 5000 ms.',
          ],
        },
      },
    ],
    async run(stage) {
      const { log } = await stage.serve({ options: { disconnect_delay: 60 } });
      return { warnings: log.filter((line) => !line.startsWith('debug')) };
    },
  },
  {
    title: 'sockjs_url',
    differences: [
      {
        row: '`sockjs_url` in the iframe page',
        original: { query: '/s.js?a=1&b=2', relative: 'sockjs.js' },
        dropIn: { query: '/s.js?a=1&amp;b=2', relative: './sockjs.js' },
      },
    ],
    async run(stage) {
      const scriptOf = async (url: string): Promise<Json> => {
        const { port } = await stage.serve({ options: { sockjs_url: url } });
        const { body } = await stage.request({ port }, { path: '/echo/iframe.html' });
        return /<script src="([^"]*)">/.exec(body)?.[1] ?? 'none';
      };
      return {
        absolute: await scriptOf('https://cdn.example.com/s.js'),
        host: await scriptOf('//cdn.example.com/s.js'),
        path: await scriptOf('/s.js'),
        query: await scriptOf('/s.js?a=1&b=2'),
        relative: await scriptOf('sockjs.js'),
      };
    },
  },
  {
    title: 'response_limit 0, 1 and 4096',
    async run(stage) {
      const { peer, connection } = await stage.open(
        { options: { response_limit: 0 } },
        { transport: XHR_STREAMING },
      );
      connection.write('y'.repeat(300_000));
      connection.write('end');
      const transcript = await peer.saw('message end');
      const once = await stage.serve({ options: { response_limit: 1 } });
      return {
        one: await poll(once.port, stage.newSession(), XHR_STREAMING),
        limited: await messagesUpTo(4096, stage, 1),
        unlimited: transcript.length,
      };
    },
  },
  {
    title: 'response_limit, and messages that are written in one turn',
    differences: [
      {
        row: 'Frames of several writes',
        original: { messages: 31 },
        dropIn: { messages: 50 },
      },
    ],
    run: async (stage) => ({ messages: await messagesUpTo(4096, stage, 50) }),
  },
  {
    title: 'websocket: false',
    async run(stage) {
      const { port } = await stage.serve({ options: { websocket: false } });
      const session = stage.newSession();
      const plain = async (path: string): Promise<Json> =>
        stage.describe(await stage.request({ port }, { path }));
      return {
        info: await plain('/echo/info'),
        raw: await plain('/echo/websocket'),
        framed: await plain(`${session}/websocket`),
        rawUpgrade: await upgradeResponse(stage, port, '/echo/websocket'),
        framedUpgrade: await upgradeResponse(stage, port, `${session}/websocket`),
      };
    },
  },
  {
    title: 'faye_server_options',
    differences: [
      { row: '`faye_server_options`', original: { own: 'yes' }, dropIn: { own: null } },
    ],
    async run(stage) {
      const options = { faye_server_options: { maxLength: 20, headers: { 'X-Own': 'yes' } } };
      const service = await stage.serve({ options });
      const socket = await RawWebSocket.open(service.port, '/echo/websocket');
      stage.after(() => socket.abort());
      socket.send('x'.repeat(21));
      const { code } = await socket.closed();
      return { own: socket.head.header('x-own') ?? null, code };
    },
  },
  {
    title: 'faye_server_options: null',
    async run(stage) {
      const service = await stage.serve({ options: { faye_server_options: null } });
      const peer = stage.connect(service);
      return { transcript: await peer.saw('open') };
    },
  },
  {
    title: 'jsessionid: true',
    differences: [
      {
        row: '`jsessionid: true`',
        original: { infoPreflight: ['JSESSIONID=abc; path=/'] },
        dropIn: { infoPreflight: [] },
      },
    ],
    async run(stage) {
      const { port } = await stage.serve({ options: { jsessionid: true } });
      const session = stage.newSession();
      const cookies = async (request: RawRequest): Promise<Json> =>
        (await stage.request({ port }, request)).head.all('set-cookie');
      const cookie: Headers = [['Cookie', 'a=b; JSESSIONID=abc; c=d']];
      await poll(port, session);
      return {
        info: stage.describe(await stage.request({ port }, { path: '/echo/info' })),
        iframe: await cookies({ path: '/echo/iframe.html' }),
        poll: await cookies({ method: 'POST', path: `${stage.newSession()}/xhr`, headers: cookie }),
        dummy: await cookies({ method: 'POST', path: `${stage.newSession()}/xhr` }),
        send: await cookies({
          method: 'POST',
          path: `${session}/xhr_send`,
          body: '[]',
          headers: cookie,
        }),
        jsonp: await cookies({ path: `${stage.newSession()}/jsonp?c=x`, headers: cookie }),
        preflight: await cookies({ method: 'OPTIONS', path: `${session}/xhr`, headers: cookie }),
        infoPreflight: await cookies({ method: 'OPTIONS', path: '/echo/info', headers: cookie }),
      };
    },
  },
  {
    title: 'jsessionid: a function',
    differences: [
      {
        row: 'Cookies for `jsessionid`',
        original: { parsed: { a: 'b', c: 'd e', f: '', g: 'h', a2: '"q"' } },
        dropIn: { parsed: { a: 'b', c: 'd e', g: 'h=i', a2: '"q"' } },
      },
    ],
    async run(stage) {
      const calls: Json[] = [];
      let parsed: Json = null;
      const jsessionid = (
        request: { cookies: Record<string, string>; url: string; method: string },
        response: { setHeader(name: string, value: string): void },
      ): void => {
        calls.push(`${request.method} ${stage.normalize(request.url)}`);
        parsed = { ...request.cookies };
        response.setHeader('Set-Cookie', `own=${request.cookies['a'] ?? 'none'}`);
      };
      const { port } = await stage.serve({ options: { jsessionid } });
      const session = stage.newSession();
      const headers: Headers = [['Cookie', 'a=b; c = d e ;f; g=h=i;a2="q"']];
      const request = async (method: string, path: string, body?: string): Promise<Json> => {
        const rest = body === undefined ? {} : { body };
        return (await stage.request({ port }, { method, path, headers, ...rest })).head.all(
          'set-cookie',
        );
      };
      const cookies = [
        await request('GET', '/echo/info'),
        await request('POST', `${session}/xhr`),
        await request('POST', `${session}/xhr_send`, '["x"]'),
        await request('OPTIONS', `${session}/xhr_send`),
        await request('OPTIONS', '/echo/info'),
        await request('GET', `${stage.newSession()}/jsonp?c=x`),
        await request('GET', '/echo/iframe.html'),
      ];
      const ws = await RawWebSocket.open(port, `${stage.newSession()}/websocket`);
      ws.abort();
      return { cookies, calls, parsed };
    },
  },
  {
    title: 'heartbeat_delay over HTTP',
    transports: HTTP,
    async run(stage) {
      const service = await stage.serve({ options: { heartbeat_delay: 20 } });
      const peer = stage.connect(service);
      return { frames: (await peer.saw('h')).slice(0, 2) };
    },
  },
  {
    title: 'heartbeat_delay over a framed WebSocket',
    differences: [
      {
        row: 'Heartbeats over WebSocket',
        original: { messages: ['o'] },
        dropIn: { messages: ['o', 'h'] },
      },
    ],
    async run(stage) {
      const { port } = await stage.serve({ options: { heartbeat_delay: 20 } });
      const socket = await RawWebSocket.open(port, `${stage.newSession()}/websocket`);
      stage.after(() => socket.abort());
      const [, ping = Buffer.from('none')] = await socket.pings.take(2);
      const messages = new Set(socket.messages.drain().map(String));
      return { ping: ping.toString('hex'), messages: [...messages] };
    },
  },
  {
    title: 'heartbeat_delay over a raw WebSocket',
    differences: [
      {
        row: 'Heartbeats over WebSocket',
        original: { result: 'no ping' },
        dropIn: { result: 'a ping' },
      },
    ],
    async run(stage) {
      const { port } = await stage.serve({ options: { heartbeat_delay: 20 } });
      const socket = await RawWebSocket.open(port, '/echo/websocket');
      stage.after(() => socket.abort());
      const result = await socket.pings.next({ timeout: 1000 }).then(
        () => 'a ping',
        () => 'no ping',
      );
      return { result };
    },
  },
  {
    title: 'fractions as delays',
    async run(stage) {
      const service = await stage.serve({
        options: { heartbeat_delay: 20.5, disconnect_delay: 0.5 },
      });
      const session = stage.newSession();
      await poll(service.port, session, XHR);
      const connection = await stage.connection(service);
      await stage.until(() => connection.readyState === 3);
      return { state: connection.readyState };
    },
  },
  responses('disable_cors', { disable_cors: true }, [
    ['GET /echo/info', ORIGIN],
    ['OPTIONS /echo/info', PREFLIGHT],
    ['OPTIONS /echo/000/s/xhr', PREFLIGHT],
  ]),
  responses('base_url', { base_url: 'http://other.example.com/echo' }, [['GET /echo/info']]),
  responses("base_url: ''", { base_url: '' }, [['GET /echo/info']]),
  {
    title: 'base_url: a function',
    async run(stage) {
      let calls = 0;
      const args: number[] = [];
      const options = {
        base_url: (...all: unknown[]) => {
          args.push(all.length);
          calls += 1;
          return calls > 2 ? undefined : `http://${calls}.example.com`;
        },
      };
      const { port } = await stage.serve({ options });
      const bodies: Json[] = [];
      for (const _ of [1, 2, 3]) {
        bodies.push(stage.describe(await stage.request({ port }, { path: '/echo/info' })));
      }
      return { bodies, args };
    },
  },
  {
    title: 'log: severities and lines',
    async run(stage) {
      const service = await stage.serve();
      const { port, log } = service;
      const session = stage.newSession();
      await stage.request({ port }, { path: '/echo' });
      await stage.request({ port }, { path: '/echo/info?x=1' });
      await stage.request({ port }, { path: '/echo/nothing' });
      await stage.request({ port }, { path: '/other' });
      await stage.request({ port }, { method: 'POST', path: '/echo/info' });
      await poll(port, session);
      await postBody(port, session, '["x"]');
      await postBody(port, session, '["x');
      const receiver = new Receiver(port, stage.newSession(), XHR_STREAMING);
      await receiver.frame();
      receiver.abort();
      const framed = await RawWebSocket.open(port, `${stage.newSession()}/websocket`);
      framed.abort();
      const raw = await RawWebSocket.open(port, '/echo/websocket');
      raw.abort();
      return { log: log.map((line) => stage.normalize(line)) };
    },
  },
];
