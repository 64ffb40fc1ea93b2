/** Cost of sends and polls: on the node that owns the session, on another one, and on all nodes in turn. */
import { type Arrival, end, openPolling } from '../load/http-loads.ts';
import type { ClusterConditions } from './conditions.ts';
import { type Contender, type Ratio, type Windows, alternate, compare } from './alternate.ts';
import type { Nodes } from './nodes.ts';

export const CLIENTS = 100;

async function contender(
  name: string,
  server: Nodes,
  clients: number,
  arrivalOf: (index: number) => Arrival,
): Promise<Contender & { readonly destroy: () => void }> {
  const sessions = await openPolling(name, clients, arrivalOf);
  return {
    server,
    actors: sessions.map((session) => (): Promise<void> => session.roundTrip()),
    destroy: () => end(sessions),
  };
}

export interface RelayCosts {
  /** Relayed to local. */
  readonly cost: Ratio;
  readonly p50: Ratio;
  readonly p99: Ratio;
  /** CPU time of the engine, divided by that of the nodes. */
  readonly engineShare: number;
}

/** Compares requests that arrive at another node with requests that arrive at the owner of the session. */
export async function measureRelays(
  { start, redis }: ClusterConditions,
  clients: number,
  windows: Windows,
): Promise<RelayCosts> {
  const nodes = await start({ count: 2 });
  const [owner = 0, edge = 0] = nodes.ports;
  const local = await contender('local', nodes, clients, () => ({
    opening: owner,
    others: [owner],
  }));
  const relayed = await contender('relayed', nodes, clients, () => ({
    opening: owner,
    others: [edge],
  }));
  const relaysBefore = await nodes.query('relays');
  const usage = await nodes.query('usage');
  const engine = await redis.cpuTime();
  const [locals = [], relays = []] = await alternate([local, relayed], windows);
  const engineAfter = await redis.cpuTime();
  const usageAfter = await nodes.query('usage');
  const least = windows.count * clients;
  if ((await nodes.query('relays')) - relaysBefore < least) throw new Error('Nothing was relayed.');
  local.destroy();
  relayed.destroy();
  await nodes.end();
  const spent = usageAfter.user + usageAfter.system - usage.user - usage.system;
  return {
    cost: compare(relays, locals),
    p50: compare(relays, locals, ({ p50 = 0 }) => p50),
    p99: compare(relays, locals, ({ p99 = 0 }) => p99),
    engineShare: (engineAfter - engine) / spent,
  };
}

/** Costs of round trips with 1, 2, … nodes behind a round robin, divided by those with one node. */
export async function measureNodeCounts(
  { start }: ClusterConditions,
  counts: readonly number[],
  windows: Windows,
): Promise<Ratio[]> {
  const clusters = await Promise.all(counts.map((count) => start({ count })));
  const contenders = await Promise.all(
    clusters.map((nodes) =>
      contender('robin', nodes, CLIENTS, (index) => ({
        opening: nodes.ports[index % nodes.ports.length] ?? 0,
        others: nodes.ports,
      })),
    ),
  );
  const results = await alternate(contenders, windows);
  for (const { destroy } of contenders) destroy();
  await Promise.all(clusters.map((nodes) => nodes.end()));
  const [single = []] = results;
  return results.map((result) => compare(result, single));
}
