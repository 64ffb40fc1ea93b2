import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type TestContext, test } from 'node:test';
import { connectionCreator } from '../../src/api/connection-factory.ts';
import { resolveSettings } from '../../src/api/settings.ts';
import { NODE_SERVER_HOST } from '../../src/hosts/node/server-attachment.ts';
import { HostGuard } from '../../src/http/host-guard.ts';
import { RouterState } from '../../src/http/router-state.ts';
import { Dispatcher, type SessionStep } from '../../src/routes/dispatcher.ts';
import { RouteTable } from '../../src/routes/route-table.ts';
import { SessionRegistry } from '../../src/sessions/session-registry.ts';
import { localGroups } from '../../testkit/local-groups.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { Echo, startServer } from '../../testkit/server.ts';

async function serve(
  t: TestContext,
  step?: SessionStep,
): Promise<{ readonly port: number; readonly logger: RecordingLogger }> {
  const settings = resolveSettings({ jsessionid: false });
  const logger = new RecordingLogger();
  const create = connectionCreator(Echo, 'The class');
  const groups = localGroups();
  const sessions = new SessionRegistry('/echo', settings, logger, (session) =>
    create({ backend: session, groups }),
  );
  const state = new RouterState('/echo', settings, logger, sessions);
  const dispatcher = new Dispatcher(
    state,
    new RouteTable(settings),
    settings,
    new HostGuard(),
    step,
  );
  const server = createServer();
  NODE_SERVER_HOST.attach(server, dispatcher);
  t.after(() => sessions.drain({ code: 1001, reason: '', cause: 'goingAway' }, 0));
  return { port: await startServer(t, server), logger };
}

const POLL = { method: 'POST', path: '/echo/000/session/xhr' };

test('without a step, a session request goes to its handler', async (t) => {
  const { port } = await serve(t);
  assert.equal((await httpRequest(port, POLL)).body, 'o\n');
});

test('a step can let the request pass', async (t) => {
  const ids: string[] = [];
  const { port } = await serve(t, async ({ sessionId }, route) => {
    ids.push(sessionId);
    await route.serve();
  });
  assert.equal((await httpRequest(port, POLL)).body, 'o\n');
  assert.deepEqual(ids, ['session']);
});

test('a step can handle the request itself', async (t) => {
  const { port } = await serve(t, async ({ exchange, headers }) => {
    exchange.respond(200, headers, 'from another node');
  });
  assert.equal((await httpRequest(port, POLL)).body, 'from another node');
});

test('the step does not run for requests without a session', async (t) => {
  const { port } = await serve(t, () => assert.fail('it ran'));
  assert.equal((await httpRequest(port, { path: '/echo/info' })).status, 200);
});

test('the step does not run for a page that the origin guard refuses', async (t) => {
  const { port, logger } = await serve(t, () => assert.fail('it ran'));
  const headers = [['Origin', 'http://evil.example']] as const;
  assert.equal((await httpRequest(port, { ...POLL, headers })).status, 403);
  logger.take();
});

test('a step that rejects is a 500 and a log line', async (t) => {
  const { port, logger } = await serve(t, () => Promise.reject(new Error('no backplane')));
  assert.equal((await httpRequest(port, POLL)).status, 500);
  assert.match(logger.take()[0]?.line ?? '', /POST of "xhr" failed: Error: no backplane/);
});
