/** Requests of one session that reach different nodes, over a memory backplane. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { SockJSConnection, SockJSRouter } from '../../src/index.ts';
import { type SockJSCluster, createCluster } from '../../src/cluster/cluster.ts';
import { MemoryHub, memoryBackplane } from '../../src/cluster/memory-engine.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { until } from '../../testkit/until.ts';
import { once } from 'node:events';

class Echo extends SockJSConnection {
  override onMessage(text: string): void {
    if (text === 'close') this.close(3000, 'Go away!');
    else this.send(text);
  }
}

interface TestNode {
  readonly port: number;
  readonly cluster: SockJSCluster;
  readonly router: SockJSRouter;
  readonly logger: RecordingLogger;
}

async function startNode(t: TestContext, hub: MemoryHub): Promise<TestNode> {
  const logger = new RecordingLogger();
  const cluster = createCluster({
    backplane: memoryBackplane(hub),
    listen: { host: '127.0.0.1' },
    logger,
  });
  const router = new SockJSRouter(Echo, '/echo', { cluster, logger, jsessionid: false });
  const server = router.listen(0, '127.0.0.1');
  await once(server, 'listening');
  await cluster.ready();
  t.after(async () => {
    await router.close({ timeout: 100 });
    await cluster.close();
  });
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return { port: address.port, cluster, router, logger };
}

async function startNodes(t: TestContext, count: number): Promise<[TestNode, TestNode]> {
  const hub = new MemoryHub();
  const nodes = await Promise.all(Array.from({ length: count }, () => startNode(t, hub)));
  await until(() => nodes.every(({ cluster }) => cluster.members.length === count), 'all members');
  const [one, two] = nodes;
  assert.ok(one !== undefined && two !== undefined);
  return [one, two];
}

const POLL = { method: 'POST', path: '/echo/000/session/xhr' };

function send(...messages: string[]): { method: string; path: string; body: string } {
  return { method: 'POST', path: '/echo/000/session/xhr_send', body: JSON.stringify(messages) };
}

test('a session opened on one node is used on another one', async (t) => {
  const [one, two] = await startNodes(t, 2);
  assert.equal((await httpRequest(one.port, POLL)).body, 'o\n');
  assert.equal((await httpRequest(two.port, send('a', 'ü'))).status, 204);
  assert.equal((await httpRequest(two.port, POLL)).body, 'a["a","ü"]\n');
  assert.equal((await httpRequest(one.port, send('b'))).status, 204);
  assert.equal((await httpRequest(two.port, POLL)).body, 'a["b"]\n');
  assert.equal(two.cluster.stats.relayedOut, 3);
  assert.equal(one.cluster.stats.relayedIn, 3);
  assert.deepEqual([one.cluster.stats.claims, two.cluster.stats.claims], [1, 0]);
});
