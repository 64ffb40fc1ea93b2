/** Limits of messages over NATS. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { connect } from '@nats-io/transport-node';

import { type BackplaneListener, NO_BACKPLANE_LISTENER } from '../../src/backplane/backplane.ts';
import { EngineBackplane } from '../../src/backplane/engine-backplane.ts';
import { NatsEngine } from '../../src/backplane/nats-engine.ts';
import type { EngineProcess } from '../../testkit/engine-process.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { startNats } from '../../testkit/nats-server.ts';
import { until } from '../../testkit/until.ts';

async function joinCluster(
  t: TestContext,
  server: EngineProcess,
  listener: Partial<BackplaneListener> = {},
): Promise<EngineBackplane> {
  const connection = await connect({ servers: server.url });
  t.after(() => connection.close());
  const backplane = new EngineBackplane(new NatsEngine(connection));
  t.after(() => backplane.leave());
  await backplane.join({
    namespace: 'test',
    card: '',
    listener: { ...NO_BACKPLANE_LISTENER, ...listener },
    logger: new RecordingLogger(),
  });
  return backplane;
}

test('messages are split into parts that a NATS server with a small max_payload takes', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sockjs-nats-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const configFile = join(folder, 'nats.conf');
  await writeFile(configFile, 'max_payload: 65536\n');
  const server = await startNats(configFile);
  t.after(() => server.close());
  const messages: string[] = [];
  const publisher = await joinCluster(t, server);
  const subscriber = await joinCluster(t, server, {
    onMessage: (_topic, _from, data) => void messages.push(data),
  });
  await subscriber.subscribe('news');
  const text = '€'.repeat(200_000);
  publisher.publish('news', text);
  await until(() => messages.length > 0, 'the message');
  assert.ok(messages[0] === text);
});

test('a NATS server that hangs does not collect more than 10,000 messages in the client', async (t) => {
  const server = await startNats();
  t.after(() => server.close());
  const publisher = await joinCluster(t, server);
  const thawed = server.freeze(1000);
  for (let batch = 0; batch < 3; batch += 1) {
    for (let count = 0; count < 5000; count += 1) publisher.publish('news', 'text');
    // oxlint-disable-next-line no-await-in-loop -- one batch after the other
    await setImmediate();
  }
  assert.equal(publisher.lostPublishes, 5000);
  await thawed;
});
