/** Private parts that programs are known to use. */
import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { poll } from '../../../testkit/sockjs-http.ts';
import { RAW_WEBSOCKET, XHR } from '../../../testkit/transports.ts';
import { ALL, FRAMED, HTTP, type Json, type Scenario } from '../scenario.ts';
import { outcomeOf, recordEvents, untilClosed } from '../stage.ts';

const PRIVATE = 'Private parts';
const END = ['end() in state 3', 'close() in state 3'];

export const PRIVATE_PARTS: readonly Scenario[] = [
  {
    title: '_session of an open connection',
    transports: ALL,
    async run(stage) {
      const { connection } = await stage.open();
      const { _session: session } = connection;
      await stage.until(() => session.recv !== null);
      const { recv } = session;
      const isWebSocket = stage.transport.isWebSocket;
      const socket = isWebSocket ? recv?.connection : recv?.response?.socket;
      return {
        sessionId:
          typeof session.session_id === 'string' ? stage.normalize(session.session_id) : 'none',
        isConnection: session.connection === connection,
        readyState: session.readyState,
        sendBuffer:
          stage.transport.name === 'rawwebsocket'
            ? 'none'
            : (session.send_buffer?.length ?? 'none'),
        protocol: recv?.protocol ?? 'none',
        isSocket: socket instanceof Socket,
        port: socket?.remotePort === connection.remotePort,
        request: isWebSocket ? 'none' : stage.normalize(recv?.request?.url ?? 'none'),
        hasTimeout: outcomeOf(() => typeof socket?.setTimeout(120_000)),
        methods: (['send', 'close', 'didMessage', 'didTimeout', 'decorateConnection'] as const).map(
          (name) => typeof session[name],
        ),
      };
    },
  },
  {
    title: '_session between two polls',
    transports: [XHR],
    async run(stage) {
      const service = await stage.serve();
      const session = stage.newSession();
      const seen: Json[] = [];
      service.server.prependListener('connection', (connection: { _session: { recv: unknown } }) =>
        seen.push(connection._session.recv === null),
      );
      await poll(service.port, session);
      const connection = await stage.connection(service);
      connection.write('one');
      connection.write('two');
      return {
        wasNullAtConnection: seen,
        recv: connection._session.recv === null,
        buffered: connection._session.send_buffer?.length ?? 'none',
        frame: await poll(service.port, session),
        after: connection._session.send_buffer?.length ?? 'none',
      };
    },
  },
  {
    title: '_session after the end',
    transports: ALL,
    async run(stage) {
      const { peer, connection } = await stage.open();
      const events = recordEvents(connection);
      const { _session: session } = connection;
      connection.close();
      await peer.finished();
      await untilClosed(events);
      return {
        same: connection._session === session,
        connection: session.connection === null,
        readyState: session.readyState,
        send: outcomeOf(() => session.send('late')),
        close: outcomeOf(() => session.close(3000, 'late')),
        message: outcomeOf(() => session.didMessage('late')) === null,
        events: [...events],
      };
    },
  },
  {
    title: '_session.send, close and didMessage',
    transports: ALL,
    differences: [
      {
        row: PRIVATE,
        on: [RAW_WEBSOCKET],
        original: { events: ['data("undefined") in state 1', ...END] },
        dropIn: { events: ['data("from inside") in state 1', ...END] },
      },
    ],
    async run(stage) {
      const { peer, connection } = await stage.open();
      const events = recordEvents(connection);
      connection._session.didMessage('from inside');
      const results = [connection._session.send('hello'), connection._session.close()];
      return {
        results,
        transcript: await peer.finished(),
        events: [...(await untilClosed(events))],
      };
    },
  },
  {
    title: 'decorateConnection replaced before the first connection, as webpack-dev-server does',
    async run(stage) {
      const { prototype } = stage.side.privateParts.Session;
      const { decorateConnection } = prototype;
      const marker = stage.newSession();
      // Other runs share the prototype, so only requests with the marker are changed.
      prototype.decorateConnection = function replaced(request: IncomingMessage) {
        Reflect.apply(decorateConnection, this, [request]);
        if (request.headers['x-marker'] === marker && this.connection)
          this.connection.headers['x-seen'] = request.method;
      };
      stage.after(() => {
        prototype.decorateConnection = decorateConnection;
      });
      const service = await stage.serve();
      const seen: Json[] = [];
      for (const [index, transport] of ALL.entries()) {
        const peer = stage.connect(service, { headers: [['X-Marker', marker]], transport });
        await peer.saw('open');
        const { headers } = await stage.connection(service, index);
        seen.push(`${transport.name} ${headers['x-seen']}`);
      }
      return { seen };
    },
  },
  {
    title: 'decorateConnection replaced on one session',
    transports: HTTP,
    async run(stage) {
      const urls: string[] = [];
      const service = await stage.serve({
        options: { response_limit: 1 },
        onConnection(connection) {
          const { _session: session } = connection;
          const { decorateConnection } = session;
          session.decorateConnection = (request) => {
            urls.push(stage.normalize(request.url ?? ''));
            return Reflect.apply(decorateConnection, session, [request]);
          };
          connection.write('first');
        },
      });
      const peer = stage.connect(service, { query: 'x=1' });
      await peer.saw('message first');
      const connection = await stage.connection(service);
      return { first: urls[0] ?? 'none', url: stage.normalize(connection.url) };
    },
  },
  {
    title: 'an own didTimeout on the session, as shoe sets it',
    transports: FRAMED,
    async run(stage) {
      const calls: string[] = [];
      const service = await stage.serve({
        onConnection(connection) {
          const { _session: session } = connection;
          const { didTimeout } = session;
          session.didTimeout = (...args) => {
            calls.push(`didTimeout ${args.length}`);
            return Reflect.apply(didTimeout, session, args);
          };
          connection.on('close', () => calls.push('close'));
        },
      });
      const peer = stage.connect(service);
      await peer.saw('open');
      await stage.connection(service);
      peer.abort();
      await stage.until(() => calls.includes('close'));
      return { calls };
    },
  },
  {
    title: 'an own didClose on the session, as shoe sets it',
    transports: ALL,
    differences: [
      {
        row: PRIVATE,
        on: FRAMED,
        original: { types: ['undefined'] },
        dropIn: { types: ['function'] },
      },
    ],
    async run(stage) {
      const types: string[] = [];
      const service = await stage.serve({
        onConnection(connection) {
          const { _session: session } = connection;
          const { didClose } = session;
          types.push(typeof didClose);
          session.didClose = (...args) => {
            if (didClose !== undefined) Reflect.apply(didClose, session, args);
          };
        },
      });
      const peer = stage.connect(service);
      await peer.saw('open');
      const events = recordEvents(await stage.connection(service));
      peer.abort();
      return { types, events: [...(await untilClosed(events))] };
    },
  },
  {
    title: 'exports of the private module',
    differences: [
      {
        row: PRIVATE,
        original: { others: ['register', 'registerNoSession'], transport: 'function' },
        dropIn: { others: [], transport: 'object' },
      },
    ],
    async run(stage) {
      const { privateParts } = stage.side;
      const promised = [
        'GenericReceiver',
        'ResponseReceiver',
        'Session',
        'SockJSConnection',
        'Transport',
      ];
      const names = Object.keys(privateParts)
        .filter((name) => name !== 'default')
        .toSorted();
      const { CONNECTING, OPEN, CLOSING, CLOSED } = privateParts.Transport;
      return {
        promised: names.filter((name) => promised.includes(name)),
        others: names.filter((name) => !promised.includes(name)),
        classes: promised.slice(0, -1).map((name) => typeof Reflect.get(privateParts, name)),
        transport: typeof privateParts.Transport,
        states: [CONNECTING, OPEN, CLOSING, CLOSED].map((state) => state ?? null),
        decorates: typeof privateParts.Session.prototype.decorateConnection,
      };
    },
  },
];
