/** Writing, closing, and the events of each kind of end. */
import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDirectory } from '../../../testkit/process.ts';
import { poll } from '../../../testkit/sockjs-http.ts';
import {
  type HttpTransport,
  RAW_WEBSOCKET,
  WEBSOCKET,
  XHR,
  XHR_STREAMING,
} from '../../../testkit/transports.ts';
import type { LegacyConnection, LegacyOptions } from '../legacy.ts';
import { quiet } from '../peer.ts';
import {
  ALL,
  type Difference,
  FRAMED,
  HTTP,
  type Json,
  type Observations,
  type Scenario,
  WEBSOCKETS,
} from '../scenario.ts';
import { type Stage, jsonOf, outcomeOf, recordEvents, untilClosed } from '../stage.ts';

/** Runs an action on an open connection. @returns its result, the events, and the transcript of the client */
async function endBy(
  stage: Stage,
  action: (connection: LegacyConnection, events: readonly string[]) => Json,
): Promise<Observations> {
  const { peer, connection } = await stage.open();
  const events = recordEvents(connection);
  const result = action(connection, events);
  const transcript = await peer.finished();
  return { result, events: await untilClosed(events), transcript };
}

/** Opens a session by one request. @returns its connection, and all its events */
async function openedOnce(
  stage: Stage,
  transport: HttpTransport,
  options: LegacyOptions,
): Promise<{ readonly connection: LegacyConnection; readonly events: readonly string[] }> {
  let events: readonly string[] = [];
  const service = await stage.serve({
    options,
    onConnection: (connection) => {
      events = recordEvents(connection);
    },
  });
  await poll(service.port, stage.newSession(), transport);
  return { connection: await stage.connection(service), events };
}

/** Runs `close` with some arguments. */
function closeWith(
  title: string,
  args: readonly unknown[],
  ...differences: Difference[]
): Scenario {
  return {
    title: `close(${title})`,
    transports: ALL,
    differences,
    async run(stage) {
      const { peer, connection } = await stage.open();
      const events = recordEvents(connection);
      const result = outcomeOf(() => Reflect.apply(connection.close, connection, args));
      // The original throws for some codes on a raw WebSocket, and leaves it open.
      if (typeof result === 'string') peer.close();
      const transcript = await peer.finished();
      const isSocket = stage.transport.isWebSocket;
      return {
        result,
        transcript: isSocket ? transcript.slice(0, -1) : transcript,
        socket: isSocket ? (transcript.at(-1) ?? '') : '',
        events: await untilClosed(events),
      };
    },
  };
}

/** The drop-in closes the WebSocket itself with the code of the close frame. */
function carriesCode(code: number, reason: string): Difference {
  return {
    row: 'Close code of a framed WebSocket',
    on: [WEBSOCKET],
    original: { socket: 'socket 1000 Normal closure' },
    dropIn: { socket: `socket ${code} ${reason}` },
  };
}

/** The original throws for a code that a WebSocket cannot carry. */
function replacesCode(code: unknown): Difference {
  return {
    row: 'Codes that a raw WebSocket cannot carry',
    on: [RAW_WEBSOCKET],
    original: {
      result: `throws Error: Failed to execute 'close' on WebSocket: The code must be either 1000, or between 3000 and 4999. ${String(code)} is neither.`,
      socket: 'socket 1000 ',
    },
    dropIn: { result: true, socket: 'socket 1000 Normal closure' },
  };
}

/** The original sends a close frame that is too long, and clients fail. */
function shortensReason(reason: string, result: Observations = {}): Difference {
  return {
    row: 'Long reasons, and reasons that are not texts',
    on: [RAW_WEBSOCKET],
    original: { socket: 'socket 1006 ', ...result },
    dropIn: {
      socket: `socket 3000 ${reason}`,
      ...(result['result'] === undefined ? {} : { result: true }),
    },
  };
}

/** A session over HTTP has ended once its client has the close frame. */
const CLOSES_AT_ONCE = 'Event `close` over HTTP';

export const CLOSING: readonly Scenario[] = [
  {
    title: 'write in the listener of connection, before anything else',
    transports: ALL,
    async run(stage) {
      const results: boolean[] = [];
      const service = await stage.serve({
        onConnection: (connection) =>
          results.push(connection.write('first'), connection.write('second')),
      });
      const peer = stage.connect(service);
      return { transcript: await peer.saw('message second'), results };
    },
  },
  {
    title: 'frames of two writes in one listener',
    transports: FRAMED,
    differences: [
      {
        row: 'Frames of several writes',
        original: { frames: ['o', 'a["first"]', 'a["second"]'] },
        dropIn: { frames: ['o', 'a["first","second"]'] },
      },
    ],
    async run(stage) {
      const { peer, connection } = await stage.open();
      // A pending poll would take the first message only.
      if (stage.transport === XHR) await stage.until(() => connection._session.recv !== null);
      connection.write('first');
      connection.write('second');
      await peer.saw('message second');
      return { frames: peer.frames };
    },
  },
  {
    title: 'write of values that are no text',
    transports: ALL,
    async run(stage) {
      const { peer, connection } = await stage.open();
      const values = [
        5,
        '',
        {},
        Buffer.from('bytes é'),
        undefined,
        null,
        true,
        ['a', 'b'],
        'ü\uD83D\uDE00',
      ];
      const results = values.map((value) => outcomeOf(() => connection.write(value)));
      const symbol = outcomeOf(() => connection.write(Symbol('s')));
      const none = outcomeOf(() => Reflect.apply(connection.write, connection, []));
      connection.write('last');
      return { results, symbol, none, transcript: await peer.saw('message last') };
    },
  },
  {
    title: 'write of characters that JavaScript or JSON have to escape',
    transports: FRAMED,
    async run(stage) {
      const text =
        '"\\/\0\u0007\n\r\t\u007f\u00ad\u0600\u17b4\u200c\u200f\u2028\u202f\u2060\ufeff\uffff\ud800x\udc00';
      const service = await stage.serve({
        onConnection: (connection) => connection.write(text),
      });
      const peer = stage.connect(service);
      await peer.saw(/^message/);
      return { frames: peer.frames };
    },
  },
  {
    title: 'close twice, and write and end after close',
    transports: ALL,
    async run(stage) {
      return endBy(stage, (connection) => [
        connection.close(1000, 'Normal closure'),
        connection.readyState,
        connection.readable,
        connection.writable,
        connection.close(3002, 'second'),
        connection.write('late'),
        jsonOf(connection.end('late')),
        jsonOf(connection.end()),
      ]);
    },
  },
  {
    title: 'close, write and end in the listener of close',
    transports: ALL,
    async run(stage) {
      const results: Json[] = [];
      const service = await stage.serve({
        onConnection(connection) {
          connection.on('close', () => {
            results.push(
              connection.close(),
              connection.write('late'),
              jsonOf(connection.end('late')),
              connection.readyState,
              jsonOf(connection._session.connection),
            );
          });
          connection.close();
        },
      });
      const peer = stage.connect(service);
      const transcript = await peer.finished();
      return { transcript, results: await stage.until(() => results.length > 4 && results) };
    },
  },
  closeWith('', []),
  closeWith("3001, 'why'", [3001, 'why'], carriesCode(3001, 'why')),
  closeWith('3001', [3001], carriesCode(3001, 'Normal closure')),
  closeWith("null, 'why'", [null, 'why'], carriesCode(1000, 'why')),
  closeWith('500', [500], replacesCode(500)),
  closeWith("'4000'", ['4000'], carriesCode(4000, 'Normal closure')),
  closeWith("'404'", ['404'], replacesCode('404')),
  closeWith('1006', [1006], replacesCode(1006)),
  closeWith('0', [0], replacesCode(0)),
  closeWith('5000', [5000], replacesCode(5000)),
  closeWith("4000, ''", [4000, ''], carriesCode(4000, '')),
  closeWith(
    'a reason of 200 bytes',
    [3000, 'x'.repeat(200)],
    carriesCode(3000, 'x'.repeat(123)),
    shortensReason('x'.repeat(123)),
  ),
  closeWith(
    'a reason of 66 letters with 3 bytes each',
    [3000, '\u20ac'.repeat(66)],
    carriesCode(3000, '\u20ac'.repeat(41)),
    shortensReason('\u20ac'.repeat(41)),
  ),
  closeWith(
    'an object as reason',
    [3000, { reason: 'why' }],
    carriesCode(3000, '[object Object]'),
    shortensReason('[object Object]', {
      result:
        'throws RangeError [ERR_OUT_OF_RANGE]: The value of "size" is out of range. It must be >= 0 && <= 9007199254740991. Received NaN',
    }),
  ),
  {
    title: 'write and close in the listener of connection',
    transports: ALL,
    async run(stage) {
      const results: Json[] = [];
      const service = await stage.serve({
        onConnection(connection) {
          results.push(connection.write('bye'), connection.close());
        },
      });
      const peer = stage.connect(service);
      return { transcript: await peer.finished(), results };
    },
  },
  {
    title: 'close while the client waits between two polls',
    transports: [XHR],
    async run(stage) {
      const service = await stage.serve();
      const session = stage.newSession();
      const frames = [await poll(service.port, session)];
      const connection = await stage.connection(service);
      connection.write('one');
      connection.write('two');
      const results = [connection.close(3001, 'why'), connection.write('late')];
      for (const _ of [1, 2, 3]) frames.push(await poll(service.port, session));
      return { frames, results };
    },
  },
  {
    title: 'events of a close between two polls',
    transports: [XHR],
    differences: [
      {
        row: CLOSES_AT_ONCE,
        original: { soon: [] },
        dropIn: { soon: ['end() in state 3', 'close() in state 3'] },
      },
    ],
    async run(stage) {
      const service = await stage.serve();
      await poll(service.port, stage.newSession());
      const connection = await stage.connection(service);
      const events = recordEvents(connection);
      connection.close();
      await quiet();
      return { soon: [...events], finally: [...(await untilClosed(events))] };
    },
  },
  {
    title: 'end() with and without a text',
    transports: ALL,
    async run(stage) {
      const texts: readonly unknown[] = [undefined, 'last', '', 0, null, 5, {}];
      const ends = [];
      for (const text of texts)
        ends.push(await endBy(stage, (connection) => jsonOf(connection.end(text))));
      return Object.fromEntries(
        ends.map((end, index) => [`end(${JSON.stringify(texts[index])})`, end]),
      );
    },
  },
  {
    title: 'destroy and destroySoon',
    transports: ALL,
    async run(stage) {
      const observe = async (name: 'destroy' | 'destroySoon'): Promise<Json> => {
        const { peer, connection } = await stage.open();
        const events = recordEvents(connection);
        const result = jsonOf(connection[name]());
        const listeners = connection.listenerCount('close') + connection.listenerCount('data');
        const transcript = await peer.finished();
        await stage.until(() => connection.readyState === 3);
        return { result, listeners, transcript, again: jsonOf(connection[name]()), events };
      };
      return { destroy: await observe('destroy'), destroySoon: await observe('destroySoon') };
    },
  },
  {
    title: 'conn.pipe(conn) is an echo',
    transports: ALL,
    async run(stage) {
      const service = await stage.serve({
        onConnection: (connection) => {
          connection.pipe(connection as unknown as NodeJS.WritableStream);
        },
      });
      const peer = stage.connect(service);
      await peer.saw('open');
      const events = recordEvents(await stage.connection(service));
      await peer.send('one', 'two');
      await peer.saw('message two');
      peer.close();
      return { transcript: peer.transcript.slice(0, 3), events: await untilClosed(events) };
    },
  },
  {
    title: 'a file that is piped in',
    transports: ALL,
    async run(stage) {
      const directory = await temporaryDirectory(stage);
      const file = join(directory, 'lines.txt');
      await writeFile(file, 'line\n'.repeat(40_000));
      const service = await stage.serve({
        onConnection: (connection) =>
          createReadStream(file, 'utf8').pipe(connection as unknown as NodeJS.WritableStream),
      });
      const peer = stage.connect(service);
      const transcript = await peer.finished();
      const messages = transcript.filter((entry) => entry.startsWith('message '));
      return {
        text: messages.map((entry) => entry.slice('message '.length)).join('').length,
        messages: messages.length,
        others: transcript.filter((entry) => !entry.startsWith('message ')),
      };
    },
  },
  {
    title: 'the client closes',
    transports: WEBSOCKETS,
    async run(stage) {
      const service = await stage.serve();
      const peer = stage.connect(service);
      await peer.saw('open');
      const events = recordEvents(await stage.connection(service));
      peer.close();
      return { events: await untilClosed(events), transcript: await peer.finished() };
    },
  },
  {
    title: 'the client resets the connection',
    transports: ALL,
    async run(stage) {
      const { peer, connection } = await stage.open({ options: { disconnect_delay: 30_000 } });
      await stage.until(() => connection._session.recv !== null);
      const events = recordEvents(connection);
      peer.abort();
      const ended = await untilClosed(events);
      const { readyState } = connection;
      return { events: [...ended], readyState, write: connection.write('late') };
    },
  },
  {
    title: 'a receiving request after a reset',
    transports: HTTP,
    differences: [
      {
        row: 'Requests after an abort',
        original: { first: 'open' },
        dropIn: { first: 'close [1002,"Connection interrupted"]' },
      },
    ],
    async run(stage) {
      const { service, peer, connection } = await stage.open({
        options: { disconnect_delay: 30_000 },
      });
      await stage.until(() => connection._session.recv !== null);
      peer.abort();
      await stage.until(() => connection.readyState === 3);
      const again = stage.connect(service, { session: peer.session });
      await again.saw(/./);
      return { first: again.transcript[0] ?? '' };
    },
  },
  {
    title: 'the next poll does not come',
    transports: [XHR],
    async run(stage) {
      const { connection, events } = await openedOnce(stage, XHR, { disconnect_delay: 60 });
      connection.write('never read');
      return { events: await untilClosed(events), readyState: connection.readyState };
    },
  },
  {
    title: 'the next streaming request does not come',
    transports: [XHR_STREAMING],
    async run(stage) {
      const options = { response_limit: 1, disconnect_delay: 60 };
      const { connection, events } = await openedOnce(stage, XHR_STREAMING, options);
      return { events: await untilClosed(events), readyState: connection.readyState };
    },
  },
  {
    title: 'events inside and after a close by the server',
    transports: ALL,
    differences: [
      {
        row: CLOSES_AT_ONCE,
        on: HTTP,
        original: { soon: [] },
        dropIn: { soon: ['end() in state 3', 'close() in state 3'] },
      },
    ],
    async run(stage) {
      const { peer, connection } = await stage.open();
      const events = recordEvents(connection);
      connection.close(3001, 'why');
      const inside = [...events];
      const state = connection.readyState;
      await peer.finished();
      const soon = stage.transport === RAW_WEBSOCKET ? await untilClosed(events) : [...events];
      return { inside, state, soon, finally: await untilClosed(events) };
    },
  },
];
