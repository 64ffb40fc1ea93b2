/** Servers, handlers, and listeners of other parts of an application. */
import { EventEmitter } from 'node:events';
import { type IncomingMessage, createServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { RawHttpConnection } from '../../../testkit/raw-http.ts';
import { upgradeRequest } from '../../../testkit/raw-websocket.ts';
import { poll } from '../../../testkit/sockjs-http.ts';
import { XHR } from '../../../testkit/transports.ts';
import type { LegacyConnection, LegacyHandler } from '../legacy.ts';
import { QUIET, bodies, openRaw } from '../requests.ts';
import { ALL, type Json, type Scenario } from '../scenario.ts';
import { jsonOf } from '../stage.ts';

export const SERVER: readonly Scenario[] = [
  {
    title: 'members of a server',
    async run(stage) {
      const { createServer: create } = stage.side.sockjs;
      const server = create({ prefix: '/a', own: 'option' });
      const values = { ...server.options, log: typeof server.options['log'] };
      return {
        isEmitter: server instanceof EventEmitter,
        options: jsonOf(values),
        defaults: Object.keys(create().options),
        installs: jsonOf(server.installHandlers(createServer(), QUIET)),
        middleware: server.middleware(QUIET).length >= 0,
        optionsAfter: server.options['log'] === QUIET['log'],
        handlers: ['installHandlers', 'listener', 'middleware'].map(
          (name) => typeof Reflect.get(server, name),
        ),
      };
    },
  },
  {
    title: 'listen with and without an HTTP server',
    async run(stage) {
      const http = createServer();
      const { listen } = stage.side.sockjs;
      const server = listen(http, { ...QUIET, prefix: '/echo' });
      const without = listen();
      const port = await stage.listen(http);
      const connected = new Promise<LegacyConnection>((resolve) => {
        server.on('connection', resolve);
      });
      const opened = await poll(port, stage.newSession());
      return {
        opened,
        protocol: (await connected).protocol,
        without: without instanceof EventEmitter,
        listeners: http.listenerCount('request') + http.listenerCount('upgrade'),
      };
    },
  },
  {
    title: 'two prefixes on one HTTP server, and one on another',
    transports: ALL,
    async run(stage) {
      const { createServer: create } = stage.side.sockjs;
      const server = create(QUIET);
      const seen: string[] = [];
      server.on('connection', (connection: LegacyConnection) => {
        seen.push(connection.prefix);
        connection.write(`at ${connection.prefix}`);
      });
      const [first, second] = [createServer(), createServer()];
      server.installHandlers(first, { prefix: '/one' });
      server.installHandlers(first, { prefix: '/two' });
      server.installHandlers(second, { prefix: '/one' });
      const ports = [await stage.listen(first), await stage.listen(second)] as const;
      const transcripts: Json[] = [];
      for (const [port, prefix] of [
        [ports[0], '/one'],
        [ports[0], '/two'],
        [ports[1], '/one'],
      ] as const) {
        const peer = stage.connect({ port }, { session: stage.newSession(prefix) });
        transcripts.push(await peer.saw(/^message/));
      }
      return { transcripts, seen };
    },
  },
  {
    title: 'two servers with one prefix on one HTTP server: the later one serves',
    async run(stage) {
      const http = createServer((_request, response) => response.end('the application'));
      const seen: string[] = [];
      for (const name of ['first', 'second']) {
        const server = stage.side.sockjs.createServer({ ...QUIET, prefix: '/echo' });
        server.on('connection', () => seen.push(name));
        server.installHandlers(http);
      }
      const port = await stage.listen(http);
      await poll(port, stage.newSession());
      const raw = await openRaw(port, '/echo/websocket');
      await stage.until(() => seen.length > 1);
      return { seen, raw, paths: await bodies(stage, port, ['/echo', '/other']) };
    },
  },
  {
    title: 'listeners of request before and after installation',
    async run(stage) {
      const calls: string[] = [];
      const listen =
        (name: string, ends = false) =>
        (request: IncomingMessage, response: { end(text: string): void }): void => {
          calls.push(`${name} ${request.url}`);
          if (ends) response.end(name);
        };
      const http = createServer();
      http.on('request', listen('before 1', true));
      http.on('request', listen('before 2'));
      http.once('request', listen('once'));
      stage.side.sockjs.createServer({ ...QUIET, prefix: '/echo' }).installHandlers(http);
      const installed = http.listenerCount('request');
      http.on('request', listen('after'));
      const port = await stage.listen(http);
      const paths = await bodies(stage, port, ['/echo', '/other', '/other']);
      return { installed, paths, calls };
    },
  },
  {
    title: 'listeners of upgrade before and after installation',
    async run(stage) {
      const calls: string[] = [];
      const listen = (name: string) => (request: IncomingMessage, socket: Duplex, head: Buffer) => {
        calls.push(`${name} ${request.url} ${head.length}`);
        if (name === 'before') socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
      };
      const http = createServer();
      http.on('upgrade', listen('before'));
      stage.side.sockjs.createServer({ ...QUIET, prefix: '/echo' }).installHandlers(http);
      http.on('upgrade', listen('after'));
      const port = await stage.listen(http);
      return {
        ours: await openRaw(port, '/echo/websocket'),
        other: await openRaw(port, '/other'),
        calls,
        installed: http.listenerCount('upgrade'),
      };
    },
  },
  {
    title: 'an upgrade without a handler',
    differences: [
      {
        row: 'Upgrades without a handler',
        original: { response: 'none' },
        dropIn: { response: 'HTTP/1.1 404 Not Found' },
      },
    ],
    async run(stage) {
      const service = await stage.serve();
      const { raw } = new RawHttpConnection(service.port).send(upgradeRequest('/other'));
      stage.after(() => raw.close());
      const hasResponse = await raw.activity(6000);
      return { response: hasResponse ? await raw.readLine() : 'none' };
    },
  },
  {
    title: 'a listener that is added later and rewrites the URL, as Meteor does',
    transports: ALL,
    async run(stage) {
      const timeouts: number[] = [];
      const service = await stage.serve({
        onConnection: (connection) => connection.write(stage.normalize(connection.url)),
      });
      for (const event of ['request', 'upgrade']) {
        const listeners = service.http.listeners(event);
        service.http.removeAllListeners(event);
        service.http.on(event, (request: IncomingMessage, ...rest: unknown[]) => {
          if (request.url?.startsWith('/alias/') === true)
            request.url = request.url.replace('/alias/', '/echo/');
          if (event === 'request') request.setTimeout(120_000);
          timeouts.push(request.socket.timeout ?? 0);
          for (const listener of listeners)
            Reflect.apply(listener, service.http, [request, ...rest]);
        });
      }
      const session = stage.newSession('/alias');
      const peer = stage.connect(service, { session });
      return { transcript: (await peer.saw(/^message/)).slice(0, 2) };
    },
  },
  {
    title: 'a listener that is prepended and rewrites the URL',
    transports: ALL,
    async run(stage) {
      const service = await stage.serve();
      for (const event of ['request', 'upgrade'])
        service.http.prependListener(event, (request: IncomingMessage) => {
          request.url = request.url?.replace('/alias/', '/echo/') ?? '';
        });
      const peer = stage.connect(service, { session: stage.newSession('/alias') });
      const transcript = await peer.saw('open');
      const { url, pathname } = await stage.connection(service);
      return { transcript, url: stage.normalize(url), pathname: stage.normalize(pathname) };
    },
  },
  {
    title: 'middleware, its upgrade, and listener().getHandler()',
    async run(stage) {
      const options = { ...QUIET, prefix: '/echo' };
      const server = stage.side.sockjs.createServer();
      const middleware = server.middleware(options);
      const listener = server.listener(options);
      const handlers: readonly [string, LegacyHandler][] = [
        ['middleware', middleware],
        ['getHandler', listener.getHandler()],
        ['handler', listener.handler],
      ];
      const outcomes: Record<string, Json> = {
        upgradeIsSame: middleware.upgrade === middleware,
        prefix: jsonOf(listener.options['prefix']),
      };
      for (const [name, handler] of handlers) {
        const returned: Json[] = [];
        let wasNextCalled = false;
        const http = createServer((request, response) => {
          const isServed = handler(request, response, () => {
            wasNextCalled = true;
          });
          returned.push(jsonOf(isServed));
          if (!isServed) response.end('the application');
        });
        http.on('upgrade', (request, socket, head) => {
          const isServed = handler(request, socket, head);
          returned.push(jsonOf(isServed));
          if (!isServed) socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
        });
        const port = await stage.listen(http);
        outcomes[name] = [
          await bodies(stage, port, ['/echo', '/echo/none', '/other']),
          await poll(port, stage.newSession()),
          await openRaw(port, '/echo/websocket'),
          await openRaw(port, '/other'),
          returned,
          wasNextCalled,
        ];
      }
      return outcomes;
    },
  },
  {
    title: 'a server whose emit is replaced, and one without listeners',
    async run(stage) {
      const service = await stage.serve();
      const emitted: string[] = [];
      service.server.emit = (event: string | symbol, ...args: unknown[]) => {
        emitted.push(`${String(event)} ${args.length}`);
        return true;
      };
      await poll(service.port, stage.newSession());
      await stage.until(() => emitted.length > 0);
      const silent = await stage.serve();
      silent.server.removeAllListeners('connection');
      const peer = stage.connect(silent, { transport: XHR });
      await peer.saw('open');
      await peer.send('nobody listens');
      return { emitted, transcript: peer.transcript };
    },
  },
  {
    title: 'installation on a server without listeners',
    async run(stage) {
      const http = createServer();
      stage.side.sockjs.createServer({ ...QUIET, prefix: '/echo' }).installHandlers(http);
      const port = await stage.listen(http);
      return {
        opened: await poll(port, stage.newSession()),
        counts: [http.listenerCount('request'), http.listenerCount('upgrade')],
      };
    },
  },
];
