/** Broadcast to a group of WebSockets on several nodes, beside servers without a cluster. */
import { SOCKJS } from '../load/dialects.ts';
import { Expected, ROTATION, plainTexts } from '../load/inbox.ts';
import { type Actor, type Measurement, openMany } from '../load/measure.ts';
import { end } from '../load/http-loads.ts';
import { WebSocketClient } from '../load/websocket.ts';
import { type Contender, type Ratio, type Windows, alternate, compare } from './alternate.ts';
import type { ClusterConditions } from './conditions.ts';
import { Nodes } from './nodes.ts';

const NODES = 3;
/** WebSockets on each node. */
const RECEIVERS = 1000;
const TEXTS = plainTexts(100)(0);

export interface BroadcastCosts {
  /** CPU time per delivery, divided by that of as many servers without a cluster. */
  readonly toServers: Ratio;
  /** The same, divided by that of one server that has all clients. */
  readonly toOneServer: Ratio;
  /** Messages that the engine has got, per broadcast. */
  readonly publishes: number;
}

/** Opens clients on all servers. */
async function contender(
  server: Nodes,
  clientsPerServer: number,
): Promise<Contender & { readonly broadcasts: () => number; readonly destroy: () => void }> {
  const expected = new Expected(SOCKJS, TEXTS);
  const opened = await Promise.all(
    server.ports.map((port) =>
      openMany(clientsPerServer, () => WebSocketClient.open(port, SOCKJS, expected)),
    ),
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
  const servers = await Nodes.startSeparate(NODES, pinned);
  const alone = await Nodes.startSeparate(1, pinned);
  const group = await contender(nodes, RECEIVERS);
  const contenders = [
    group,
    await contender(servers, RECEIVERS),
    await contender(alone, NODES * RECEIVERS),
  ];
  let results: Measurement[][] = [];
  const { publishes } = await redis.during(NODES, async () => {
    results = await alternate(contenders, windows);
  });
  for (const { destroy } of contenders) destroy();
  await Promise.all([nodes.end(), servers.end(), alone.end()]);
  const [measured = [], toServers = [], toOneServer = []] = results;
  return {
    toServers: compare(measured, toServers),
    toOneServer: compare(measured, toOneServer),
    publishes: publishes / group.broadcasts(),
  };
}
