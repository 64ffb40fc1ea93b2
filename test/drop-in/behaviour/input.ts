/** Input of clients: messages and bodies, also malformed ones. */
import { RawWebSocket } from '../../../testkit/raw-websocket.ts';
import { poll, postBody, type PostOptions } from '../../../testkit/sockjs-http.ts';
import { RAW_WEBSOCKET, WEBSOCKET, XHR, wsPath } from '../../../testkit/transports.ts';
import { ALL, HTTP, type Json, type Observations, type Scenario } from '../scenario.ts';
import { type Stage, recordEvents, untilClosed } from '../stage.ts';

/** Sends WebSocket messages to a new session. @returns its events after the end, and the close that the client gets */
async function sendFrames(
  stage: Stage,
  ...messages: readonly (string | Uint8Array)[]
): Promise<Observations> {
  const service = await stage.serve();
  const path = wsPath(
    stage.transport === RAW_WEBSOCKET ? RAW_WEBSOCKET : WEBSOCKET,
    stage.newSession(),
  );
  const socket = await RawWebSocket.open(service.port, path);
  stage.after(() => socket.abort());
  const events = recordEvents(await stage.connection(service));
  for (const message of messages) socket.send(message);
  socket.close(1000, 'done');
  const { code, reason } = await socket.closed();
  return { events: [...(await untilClosed(events))], close: `${code} ${reason}` };
}

/** Posts a body to an open polling session. @returns the response, the events and the log lines of errors */
async function post(stage: Stage, body: string, options?: PostOptions): Promise<Observations> {
  const service = await stage.serve();
  const session = stage.newSession();
  await poll(service.port, session);
  const events = recordEvents(await stage.connection(service));
  const response = stage.describe(await postBody(service.port, session, body, options));
  const errors = service.log.filter((line) => line.startsWith('error'));
  return { response, data: events.filter((event) => event.startsWith('data')), errors };
}

const END = ['end() in state 3', 'close() in state 3'];
const NOT_TEXT = 'Messages that are not strings';
const CONTENT_TYPES = 'Content types of messages';
const BROKEN = 'Broken JSON over WebSocket';

/** The response to `xhr_send`. */
const SENT: Json = {
  status: 204,
  headers: [
    'cache-control: no-store, no-cache, no-transform, must-revalidate, max-age=0',
    'content-type: text/plain; charset=UTF-8',
  ],
  body: '',
};

/** Events of a framed WebSocket that is closed because of what it has sent. */
const REFUSED: Observations = { events: END };

export const INPUT: readonly Scenario[] = [
  {
    title: 'messages reach data in order, one event for each',
    transports: ALL,
    async run(stage) {
      const service = await stage.serve();
      const peer = stage.connect(service);
      await peer.saw('open');
      const events = recordEvents(await stage.connection(service));
      await peer.send('one', '', 'ü\uD83D\uDE00', '"[]"');
      await peer.send('last');
      await stage.until(() => events.length > 4);
      return { events: [...events] };
    },
  },
  {
    title:
      'one string instead of an array, an empty array and an empty message on a framed WebSocket',
    run: async (stage) => sendFrames(stage, '"alone"', '[]', '', '["last"]'),
  },
  ...(['5', 'null', '{"a":1}', '[5,null,{"a":[]}]', 'true'] as const).map((message): Scenario => ({
    title: `the message ${message} on a framed WebSocket`,
    differences: [
      {
        row: NOT_TEXT,
        original: {
          events: [
            ...(message.startsWith('[') ? ['5', 'null', '{"a":[]}'] : [message]).map(
              (value) => `data(${value}) in state 1`,
            ),
            ...END,
          ],
          close: '1000 done',
        },
        dropIn: { ...REFUSED, close: '1007 Broken JSON encoding.' },
      },
    ],
    run: async (stage) => sendFrames(stage, message),
  })),
  {
    title: 'broken JSON on a framed WebSocket',
    differences: [
      {
        row: BROKEN,
        original: { close: '3000 Broken framing.' },
        dropIn: { close: '1007 Broken JSON encoding.' },
      },
    ],
    run: async (stage) => sendFrames(stage, '["good"]', '["broken'),
  },
  {
    title: 'binary messages',
    transports: [WEBSOCKET, RAW_WEBSOCKET],
    differences: [
      {
        row: NOT_TEXT,
        on: [WEBSOCKET],
        original: { events: ['data(["a"]) in state 1', ...END], close: '1000 done' },
        dropIn: { ...REFUSED, close: '1003 Only text is accepted here' },
      },
    ],
    run: async (stage) => sendFrames(stage, Buffer.from('["a"]')),
  },
  {
    title: 'xhr_send of strings',
    run: async (stage) => post(stage, '["one","two"]'),
  },
  {
    title: 'xhr_send of values that are no strings',
    differences: [
      {
        row: NOT_TEXT,
        original: {
          response: SENT,
          data: ['data(5) in state 1', 'data(null) in state 1', 'data({"a":1}) in state 1'],
        },
        dropIn: { response: { status: 500, headers: [] }, data: [] },
      },
    ],
    run: async (stage) => post(stage, '[5,null,{"a":1}]'),
  },
  ...(['', '["broken', '"text"', '{}', 'null', '5'] as const).map((body): Scenario => ({
    title: `xhr_send of the body ${JSON.stringify(body)}`,
    run: async (stage) => post(stage, body),
  })),
  ...(
    ['text/plain;charset=utf-8', 'application/json', 'T', 'text/xml', 'application/xml'] as const
  ).map((type): Scenario => ({
    title: `xhr_send with the content type ${type}`,
    run: async (stage) => post(stage, '["one"]', { headers: [['Content-Type', type]] }),
  })),
  ...['application/x-www-form-urlencoded', 'text/html'].map((type): Scenario => ({
    title: `xhr_send with the content type ${type}`,
    differences: [
      {
        row: CONTENT_TYPES,
        original: {
          response: { status: 500, headers: [] },
          data: [],
          errors: [`error: Unsupported content-type ${type}`],
        },
        dropIn: { response: SENT, data: ['data("one") in state 1'], errors: [] },
      },
    ],
    run: async (stage) => post(stage, '["one"]', { headers: [['Content-Type', type]] }),
  })),
  {
    title: 'xhr_send to a session that does not exist',
    differences: [
      {
        row: 'Order of checks of a message',
        original: {
          empty: { status: 500, headers: [] },
          broken: { status: 500, headers: [] },
        },
        dropIn: {
          empty: { status: 404, headers: [] },
          broken: { status: 404, headers: [] },
        },
      },
    ],
    async run(stage) {
      const { port } = await stage.serve();
      const respond = async (body: string, options?: PostOptions): Promise<Json> =>
        stage.describe(await postBody(port, stage.newSession(), body, options));
      return {
        message: await respond('["x"]'),
        empty: await respond(''),
        broken: await respond('["x'),
        origin: await respond('["x"]', { headers: [['Origin', 'http://page.example.com']] }),
      };
    },
  },
  {
    title: 'xhr_send to the id of a WebSocket',
    async run(stage) {
      const service = await stage.serve();
      const peer = stage.connect(service);
      await peer.saw('open');
      return { response: stage.describe(await postBody(service.port, peer.session, '["x"]')) };
    },
  },
  {
    title: 'xhr_send after the server has closed',
    transports: HTTP,
    async run(stage) {
      const { service, peer, connection } = await stage.open();
      const events = recordEvents(connection);
      connection.close();
      await peer.finished();
      const response = stage.describe(await postBody(service.port, peer.session, '["late"]'));
      return { response, data: events.filter((event) => event.startsWith('data')) };
    },
  },
  ...(
    [
      ['jsonp_send of a form', 'd=%5B%22one%22%5D', 'application/x-www-form-urlencoded'],
      ['jsonp_send of text', '["one"]', 'text/plain'],
      ['jsonp_send without d', 'e=1', 'application/x-www-form-urlencoded'],
      ['jsonp_send of an empty body', '', 'text/plain'],
      ['jsonp_send of broken JSON', 'd=%5B%22one', 'application/x-www-form-urlencoded'],
    ] as const
  ).map(([title, body, type]): Scenario => ({
    title,
    run: async (stage) =>
      post(stage, body, { endpoint: 'jsonp_send', headers: [['Content-Type', type]] }),
  })),
  {
    title: 'jsonp_send with the content type application/json',
    differences: [
      {
        row: CONTENT_TYPES,
        original: { errors: ['error: Unsupported content-type application/json'] },
        dropIn: { errors: [] },
      },
    ],
    run: async (stage) =>
      post(stage, '["one"]', {
        endpoint: 'jsonp_send',
        headers: [['Content-Type', 'application/json']],
      }),
  },
  {
    title: 'two servers in one process, and one session id',
    transports: [XHR],
    differences: [
      {
        row: 'Sessions of two servers',
        original: { second: '204', data: ['data("x") in state 1'] },
        dropIn: { second: '404', data: [] },
      },
    ],
    async run(stage) {
      const first = await stage.serve();
      const second = await stage.serve();
      const session = stage.newSession();
      await poll(first.port, session);
      const events = recordEvents(await stage.connection(first));
      const { status } = await postBody(second.port, session, '["x"]');
      return {
        second: String(status),
        data: events.filter((event) => event.startsWith('data')),
      };
    },
  },
];
