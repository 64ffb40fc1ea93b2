/** A connection as `connection` gives it, and its members. */
import type { Headers } from '../../../testkit/raw-http.ts';
import { TRANSPORTS, XHR, XHR_STREAMING } from '../../../testkit/transports.ts';
import { poll } from '../../../testkit/sockjs-http.ts';
import { ALL, HTTP, type Scenario } from '../scenario.ts';
import { jsonOf, outcomeOf } from '../stage.ts';

const HEADERS: Headers = [
  ['Referer', 'http://example.com/page'],
  ['X-Client-IP', '1.1.1.1'],
  ['X-Forwarded-For', '2.2.2.2, 3.3.3.3'],
  ['X-Forwarded-Host', 'proxy.example.com'],
  ['X-Forwarded-Port', '8443'],
  ['X-Cluster-Client-IP', '4.4.4.4'],
  ['Via', '1.1 proxy'],
  ['X-Real-IP', '5.5.5.5'],
  ['X-Forwarded-Proto', 'https'],
  ['X-SSL', 'yes'],
  ['DNT', '1'],
  ['User-Agent', 'first'],
  ['Accept-Language', 'de'],
  ['Cookie', 'secret=1'],
  ['Authorization', 'Basic x'],
  ['X-Other', 'other'],
];

export const CONNECTION: readonly Scenario[] = [
  {
    title: 'own keys of a fresh connection',
    transports: ALL,
    async run(stage) {
      const keys: string[][] = [];
      const service = await stage.serve({
        onConnection: (connection) => keys.push(Object.keys(connection)),
      });
      await stage.connect(service).saw('open');
      await stage.connection(service);
      return { keys };
    },
  },
  {
    title: 'members of a connection that is opened with a query and many headers',
    transports: ALL,
    async run(stage) {
      const service = await stage.serve();
      await stage.connect(service, { query: 'x=1', headers: HEADERS }).saw('open');
      const connection = await stage.connection(service);
      const { id, address, headers } = connection;
      return {
        url: stage.normalize(connection.url),
        pathname: stage.normalize(connection.pathname),
        prefix: connection.prefix,
        protocol: connection.protocol,
        headers: jsonOf(headers),
        headersInOrder: Object.keys(headers),
        remoteAddress: connection.remoteAddress,
        remotePort: typeof connection.remotePort,
        address: jsonOf({ ...address, port: address.port === service.port }),
        id: stage.normalize(id),
        text: stage.normalize(`${String(connection)} ${connection.toString()}`),
        readable: connection.readable,
        writable: connection.writable,
        readyState: connection.readyState,
      };
    },
  },
  {
    title: 'the header Origin',
    transports: ALL,
    differences: [
      {
        row: '`headers.origin`',
        original: { origin: 'undefined' },
        dropIn: { origin: 'http://page.example.com' },
      },
    ],
    async run(stage) {
      const service = await stage.serve();
      const headers: Headers = [['Origin', 'http://page.example.com']];
      await stage.connect(service, { headers }).saw('open');
      const connection = await stage.connection(service);
      return { origin: jsonOf(connection.headers['origin']) };
    },
  },
  {
    title: 'the protocol of each transport',
    transports: TRANSPORTS,
    async run(stage) {
      const service = await stage.serve();
      await stage.connect(service).saw('open');
      return { protocol: (await stage.connection(service)).protocol };
    },
  },
  {
    title: 'a receiving request replaces url, headers and port',
    transports: HTTP,
    async run(stage) {
      const service = await stage.serve({
        options: { response_limit: 1 },
        onConnection: (connection) => connection.write('first'),
      });
      const transport = stage.transport === XHR ? XHR : XHR_STREAMING;
      const session = stage.newSession();
      const request = (agent: string, query: string) => ({
        path: `${session}/${transport.path}?${query}`,
        headers: [['User-Agent', agent]] as const,
      });
      const opened = await poll(service.port, session, transport, request('first', 'a=1'));
      const connection = await stage.connection(service);
      const { headers, remotePort, address } = connection;
      const before = stage.normalize(`${connection.url} ${headers['user-agent']}`);
      const next = await poll(service.port, session, transport, request('second', 'b=2'));
      return {
        frames: [opened, next],
        before,
        after: stage.normalize(`${connection.url} ${connection.headers['user-agent']}`),
        pathname: stage.normalize(connection.pathname),
        headersAreNew: headers !== connection.headers,
        oldHeaders: jsonOf(headers),
        portIsNew: remotePort !== connection.remotePort,
        addressIsNew: address !== connection.address,
        connections: service.connections.length,
      };
    },
  },
  {
    title: 'a second receiving request while the first is open changes nothing',
    transports: HTTP,
    async run(stage) {
      const service = await stage.serve();
      const session = stage.newSession();
      const first = stage.connect(service, { session, query: 'first' });
      await first.saw('open');
      const connection = await stage.connection(service);
      await stage.until(() => connection._session.recv !== null);
      const second = await stage.connect(service, { session, query: 'second' }).finished();
      const url = stage.normalize(connection.url);
      connection.write('still here');
      return { url, second, first: await first.saw('message still here') };
    },
  },
  {
    title: 'programs overwrite plain members, and not the getters',
    transports: ALL,
    async run(stage) {
      const { peer, connection } = await stage.open();
      const assigned: Record<string, unknown> = {
        id: 'an id',
        headers: { own: 'header' },
        prefix: '/own',
        url: '/own/url',
        pathname: '/own',
        protocol: 'own',
        remoteAddress: '9.9.9.9',
        remotePort: 9,
        address: null,
        send: connection.write,
      };
      Object.assign(connection, assigned);
      const { send } = connection as unknown as { send: (text: string) => boolean };
      const sent = Reflect.apply(send, connection, ['by another name']);
      return {
        kept: Object.entries(assigned).every(
          ([name, value]) => Reflect.get(connection, name) === value,
        ),
        sent,
        transcript: await peer.saw('message by another name'),
        getters: ['readable', 'writable', 'readyState'].map((name) =>
          outcomeOf(() => Reflect.set(connection, name, 'own')),
        ),
        readyState: connection.readyState,
      };
    },
  },
  {
    title: 'a replaced emit gets every event',
    transports: ALL,
    async run(stage) {
      const emitted: string[] = [];
      const service = await stage.serve({
        onConnection(connection) {
          const { emit } = connection;
          connection.emit = (event, ...args) => {
            emitted.push(`${event} ${args.join()}`);
            return Reflect.apply(emit, connection, [event, ...args]);
          };
        },
      });
      const peer = stage.connect(service);
      await peer.saw('open');
      await peer.send('hello');
      const connection = await stage.connection(service);
      await stage.until(() => emitted.length > 0);
      connection.close();
      await peer.finished();
      return { emitted: await stage.until(() => emitted.length > 2 && emitted) };
    },
  },
  {
    title: 'a connection is a legacy stream',
    transports: ALL,
    async run(stage) {
      const service = await stage.serve();
      await stage.connect(service).saw('open');
      const connection = await stage.connection(service);
      const { Stream } = await import('node:stream');
      const members = ['on', 'pipe', 'emit', 'pause', 'resume', 'read', 'setEncoding', 'destroyed'];
      return {
        isStream: connection instanceof Stream,
        isConnection:
          connection instanceof
          (stage.side.privateParts.SockJSConnection as unknown as new () => object),
        members: members.filter((name) => name in connection),
        defaultListeners: connection.listenerCount('error'),
      };
    },
  },
];
