/** Prefixes, which are regular expressions. */
import { randomUUID } from 'node:crypto';
import { type Server, createServer } from 'node:http';
import { poll, postBody } from '../../../testkit/sockjs-http.ts';
import { QUIET, bodies, openRaw } from '../requests.ts';
import { ALL, type Json, type Scenario } from '../scenario.ts';
import { jsonOf, outcomeOf } from '../stage.ts';

/** A scenario with a server at a prefix, and the paths that it serves. */
function prefixScenario(
  prefix: string,
  paths: readonly string[],
  sockets: readonly string[],
): Scenario {
  return {
    title: `the prefix ${JSON.stringify(prefix)}`,
    async run(stage) {
      const service = await stage.serve({ options: { prefix } });
      const opened: string[] = [];
      for (const path of sockets) opened.push(`${path}: ${await openRaw(service.port, path)}`);
      await stage.until(
        () => service.connections.length === opened.filter((line) => line.endsWith('open')).length,
      );
      return {
        paths: await bodies(stage, service.port, paths),
        opened,
        prefixes: service.connections.map((connection) => connection.prefix),
        urls: service.connections.map((connection) => `${connection.url} ${connection.pathname}`),
        bound: service.log.slice(0, 1),
      };
    },
  };
}

const TRAILING: readonly string[] = ['/echo/', '/echo/info/', '/echo/iframe.html/', '/echo//'];

export const PREFIXES: readonly Scenario[] = [
  prefixScenario(
    '',
    ['/', '/info', '/info/', '/other', '/iframe.html'],
    ['/websocket', '/other/websocket'],
  ),
  prefixScenario(
    '/a.b',
    ['/a.b', '/axb/info', '/a.b/info', '/ab'],
    ['/a.b/websocket', '/axb/websocket'],
  ),
  prefixScenario(
    '.*/__sockjs__(/[no]=\\w+)?',
    [
      '/__sockjs__/info',
      '/deep/path/__sockjs__/n=abc/info',
      '/__sockjs__/x=1/info',
      '/deep/__sockjs__',
    ],
    ['/app/__sockjs__/websocket', '/app/__sockjs__/n=1/websocket'],
  ),
  {
    ...prefixScenario(
      '/primus(?:[^/]+)?',
      ['/primus', '/primus/info', '/primus-live/info', '/primusinfo', '/primu'],
      ['/primus/websocket', '/primus-1/websocket'],
    ),
  },
  prefixScenario('/echo/', ['/echo', '/echo/', '/echo//', '/echo//info', '/echo/info'], []),
  prefixScenario('[/]a', ['/a', '/a/info'], ['/a/websocket']),
  {
    title: 'a prefix with a group, over the session URLs',
    transports: ALL,
    async run(stage) {
      const { peer, connection } = await stage.open(
        { options: { prefix: '/(?:one|two)' } },
        { session: stage.newSession('/two') },
      );
      connection.write('hello');
      return {
        transcript: await peer.saw('message hello'),
        prefix: connection.prefix,
        url: stage.normalize(connection.url),
      };
    },
  },
  {
    title: 'a capturing group in the prefix',
    differences: [
      {
        row: 'Capturing groups in `prefix`',
        original: { otherSession: 204, data: ['x'] },
        dropIn: { otherSession: 404, data: [] },
      },
    ],
    async run(stage) {
      const data: Json[] = [];
      const service = await stage.serve({
        options: { prefix: '/(one|two)' },
        onConnection: (connection) => connection.on('data', (text) => data.push(jsonOf(text))),
      });
      // Random, because the original takes it for the session id, and keeps all sessions of the process in one map.
      const balancer = `/one/${randomUUID()}`;
      const opened = await poll(service.port, `${balancer}/first`);
      const other = await postBody(service.port, `${balancer}/second`, '["x"]');
      return { opened, otherSession: other.status, data };
    },
  },
  {
    title: 'trailing slashes',
    transports: ALL,
    async run(stage) {
      const service = await stage.serve();
      const { transport } = stage;
      const session = stage.newSession();
      const path =
        transport.name === 'rawwebsocket' ? '/echo/websocket/' : `${session}/${transport.name}/`;
      const open = async (): Promise<Json> => {
        if (transport.isWebSocket) return openRaw(service.port, path);
        return poll(service.port, session, transport, { path: `${path}?x=1` }).catch(String);
      };
      const isStreaming = !transport.isWebSocket && transport.isStreaming;
      return {
        opened: isStreaming ? 'see xhr' : await open(),
        send: isStreaming
          ? ''
          : (
              await stage.request(service, {
                method: 'POST',
                path: `${session}/xhr_send/`,
                body: '["x"]',
              })
            ).status,
        paths: await bodies(stage, service.port, TRAILING),
      };
    },
  },
  {
    title: 'invalid prefixes',
    async run(stage) {
      const install = (prefix: unknown): Json =>
        outcomeOf(() => {
          const http: Server = createServer();
          return stage.side.sockjs.createServer({ ...QUIET, prefix }).installHandlers(http);
        });
      // The rest of the message quotes the regular expression.
      return { group: JSON.stringify(install('/a(')).slice(1, 40), number: install(5) };
    },
  },
];
