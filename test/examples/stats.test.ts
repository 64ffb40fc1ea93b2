/** The statistics example sends the nodes of a cluster. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import {
  MemoryHub,
  SockJSConnection,
  SockJSRouter,
  createCluster,
  memoryBackplane,
} from 'sockjs-server';
import { statsOf } from '../../examples/stats/server.ts';
import { openOfficial } from '../../testkit/official-client.ts';
import { portOf } from '../../testkit/server.ts';

interface Reading {
  readonly cluster?: {
    readonly id: string;
    readonly nodes: readonly object[];
    readonly stats: object;
  };
}

test('the statistics have the nodes of the cluster', async (t) => {
  const backplane = memoryBackplane(new MemoryHub());
  const cluster = createCluster({ backplane, listen: { host: '127.0.0.1' } });
  t.after(() => cluster.close());
  await cluster.ready();
  const router = new SockJSRouter(SockJSConnection, '/echo', { cluster });
  const stats = statsOf([router]);
  const server = stats.listen(0, '127.0.0.1');
  t.after(() => stats.close({ timeout: 100 }));
  await once(server, 'listening');
  const client = await openOfficial(t, `http://127.0.0.1:${portOf(server)}/stats`);
  await client.next();
  const [reading] = JSON.parse(await client.next()) as readonly Reading[];
  assert.equal(reading?.cluster?.id, cluster.id);
  assert.deepEqual(reading.cluster.nodes, JSON.parse(JSON.stringify(cluster.nodes)));
  assert.deepEqual(reading.cluster.stats, cluster.stats);
});
