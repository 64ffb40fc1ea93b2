/** Faults of the application outside of listeners. None of them ends the process or leaves a connection half open. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { ServerResponse } from 'node:http';
import { type RawRequest, httpRequest } from '../../testkit/raw-http.ts';
import { type Transport, WEBSOCKET, XHR, XHR_STREAMING } from '../../testkit/transports.ts';
import { until } from '../../testkit/until.ts';
import type { LegacyConnection, LegacySession } from './legacy.ts';
import { DROP_IN } from './sides.ts';
import { Stage, recordEvents, untilClosed } from './stage.ts';

function stageFor(t: TestContext, transport: Transport): Stage {
  const stage = new Stage(DROP_IN, transport);
  t.after(() => stage.close());
  return stage;
}

const CIRCULAR: { self?: unknown } = {};
CIRCULAR.self = CIRCULAR;

for (const transport of [WEBSOCKET, XHR]) {
  for (const [title, args, frame] of [
    ['a bigint as code', [10n, 'why'], '[1000,"why"]'],
    ['a symbol as code', [Symbol('code'), 'why'], '[1000,"why"]'],
    ['a circular reason', [4001, CIRCULAR], '[4001,"Normal closure"]'],
    ['a reason without a text', [4001, Object.create(null)], '[4001,"Normal closure"]'],
  ] as const) {
    test(`close with ${title} that no frame can contain, over ${transport.name}`, async (t) => {
      const stage = stageFor(t, transport);
      const service = await stage.serve();
      const peer = stage.connect(service);
      const connection = await stage.connection(service);
      const events = recordEvents(connection);
      assert.equal(connection.close(...args), true);
      await untilClosed(events);
      assert.ok((await peer.finished()).includes(`close ${frame}`));
    });
  }
}

test('a function log may reject', async (t) => {
  const stage = stageFor(t, XHR);
  const log = async (): Promise<never> => Promise.reject(new Error('the disk is full'));
  const service = await stage.serve({ options: { log } });
  const peer = stage.connect(service);
  await peer.saw('open');
});

for (const transport of [WEBSOCKET, XHR]) {
  test(`a replaced didTimeout may throw, over ${transport.name}`, async (t) => {
    const stage = stageFor(t, transport);
    const service = await stage.serve({ options: { disconnect_delay: 100 } });
    const peer = stage.connect(service);
    const connection = await stage.connection(service);
    let calls = 0;
    connection._session.didTimeout = () => {
      calls += 1;
      throw new Error('didTimeout throws');
    };
    await peer.saw('open');
    peer.abort();
    await until(() => service.log.some((line) => line.includes('didTimeout throws')), 'a log line');
    assert.equal(calls, 1);
  });
}

for (const transport of [WEBSOCKET, XHR, XHR_STREAMING]) {
  test(`a replaced decorateConnection may throw, over ${transport.name}`, async (t) => {
    const stage = stageFor(t, transport);
    const { prototype }: { readonly prototype: LegacySession } = DROP_IN.privateParts.Session;
    const { decorateConnection } = prototype;
    t.after(() => Object.assign(prototype, { decorateConnection }));
    const service = await stage.serve();
    Object.assign(prototype, {
      decorateConnection: () => {
        throw new Error('decorateConnection throws');
      },
    });
    const transcript = await stage.connect(service).finished();
    assert.ok(transcript.includes('close [1011,"Internal error"]'), String(transcript));
    assert.equal(service.connections.length, 0);
  });
}

test('the application may make a field of a connection read-only', async (t) => {
  const stage = stageFor(t, XHR);
  const lock = (connection: LegacyConnection): void => {
    Object.defineProperty(connection, 'remoteAddress', { value: '192.0.2.1', writable: false });
    connection.write('next poll');
  };
  const service = await stage.serve({ onConnection: lock });
  await stage.connect(service).saw('message next poll');
  assert.equal((await stage.connection(service)).remoteAddress, '192.0.2.1');
});

const POLL: RawRequest = { method: 'POST', path: '/echo/000/session/xhr' };

test('a function jsessionid may throw after it has responded', async (t) => {
  const stage = stageFor(t, XHR);
  const jsessionid = (_request: unknown, response: ServerResponse): void => {
    response.writeHead(403).end('refused');
    throw new Error('jsessionid throws');
  };
  const service = await stage.serve({ options: { jsessionid } });
  const { status, body } = await httpRequest(service.port, POLL);
  assert.deepEqual([status, body], [403, 'refused']);
});

for (const transport of [XHR, XHR_STREAMING]) {
  test(`a session ends when other code ends its response, over ${transport.name}`, async (t) => {
    const stage = stageFor(t, transport);
    const service = await stage.serve();
    const responses: ServerResponse[] = [];
    service.http.on('request', (_request, response) => responses.push(response));
    const peer = stage.connect(service);
    const connection = await stage.connection(service);
    const events = recordEvents(connection);
    const session = connection._session;
    await stage.until(() => responses.length === (transport.isStreaming ? 1 : 2) && session.recv);
    responses.at(-1)?.end();
    await untilClosed(events);
    assert.ok((await peer.finished()).includes('close [1002,"Connection interrupted"]'));
  });
}
