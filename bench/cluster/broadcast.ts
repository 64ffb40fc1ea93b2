/** Broadcast to a group of WebSockets on several nodes, beside a node without a cluster that has all of them. */
import { SOCKJS } from '../load/dialects.ts';
import { Expected, ROTATION, plainTexts } from '../load/inbox.ts';
import { type Actor, type MeasuredServer, openMany } from '../load/measure.ts';
import { end } from '../load/http-loads.ts';
import { WebSocketClient } from '../load/websocket.ts';
import { ServerProcess } from '../server-process.ts';
import { type Contender, type Ratio, type Windows, alternate, compare } from './alternate.ts';
import type { ClusterConditions } from './conditions.ts';

const NODES = 3;
/** WebSockets on each node. */
const RECEIVERS = 1000;
const HEARTBEAT_MS = 25_000;
const TEXTS = plainTexts(100)(0);

export interface BroadcastCosts {
  /** CPU time per delivery, divided by that of a node without a cluster. */
  readonly delivery: Ratio;
  /** Messages that the engine has got, per broadcast. */
  readonly publishes: number;
}

async function contender(
  server: MeasuredServer,
  ports: readonly number[],
): Promise<Contender & { readonly broadcasts: () => number; readonly destroy: () => void }> {
  const expected = new Expected(SOCKJS, TEXTS);
  const opened = await Promise.all(
    ports.map((port) => openMany(RECEIVERS, () => WebSocketClient.open(port, SOCKJS, expected))),
  );
  const clients = opened.flat();
  let count = 0;
  const broadcast: Actor = async () => {
    const received = clients.map((client) => client.inbox.messages(1));
    server.broadcast(TEXTS[count % ROTATION] ?? '', clients.length);
    count += 1;
    await Promise.all(received);
  };
  return {
    server,
    actors: [broadcast],
    units: clients.length,
    broadcasts: () => count,
    destroy: () => end(clients),
  };
}

export async function measureBroadcast(
  { start, redis, pinned }: ClusterConditions,
  windows: Windows,
): Promise<BroadcastCosts> {
  const nodes = await start({ count: NODES });
  await redis.heartbeats(NODES);
  const options = { file: 'sockjs-server.ts', heartbeat: HEARTBEAT_MS, pinned, flags: [] };
  const alone = await ServerProcess.start(options);
  const single = await contender(
    alone,
    nodes.ports.map(() => alone.port),
  );
  const group = await contender(nodes, nodes.ports);
  let results: Awaited<ReturnType<typeof alternate>> = [];
  const { publishes } = await redis.during(NODES, async () => {
    results = await alternate([single, group], windows);
  });
  const [base = [], measured = []] = results;
  single.destroy();
  group.destroy();
  await Promise.all([nodes.end(), alone.end()]);
  return { delivery: compare(measured, base), publishes: publishes / group.broadcasts() };
}
