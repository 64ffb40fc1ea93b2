/** Cost of a server without a cluster, beside an older build, and beside a node that owns all its sessions. */
import { end, openPolling } from '../load/http-loads.ts';
import { type MeasuredServer, openMany } from '../load/measure.ts';
import { SocketClient } from '../scale/socket-client.ts';
import { ServerProcess } from '../server-process.ts';
import { type Contender, type Ratio, type Windows, alternate, compare } from './alternate.ts';
import type { ClusterConditions } from './conditions.ts';
import { DISCONNECT_DELAY_MS } from './nodes.ts';
import { CLIENTS } from './relays.ts';

const HEARTBEAT_MS = 25_000;

type Kind = 'polling' | 'webSocket';
export type CostsByKind = Readonly<Record<Kind, Ratio>>;

async function contender(
  kind: Kind,
  server: MeasuredServer,
): Promise<Contender & { readonly destroy: () => void }> {
  const { port } = server;
  if (kind === 'polling') {
    const sessions = await openPolling(kind, CLIENTS, () => ({ opening: port, others: [port] }));
    const actors = sessions.map((session) => (): Promise<void> => session.roundTrip());
    return { server, actors, destroy: () => end(sessions) };
  }
  const sessions = await openMany(CLIENTS, () => SocketClient.open(port));
  const actors = sessions.map((session) => (): Promise<void> => session.echo());
  return { server, actors, destroy: () => end(sessions) };
}

async function compareServers(
  measured: MeasuredServer,
  base: MeasuredServer,
  windows: Windows,
): Promise<CostsByKind> {
  const compareKind = async (kind: Kind): Promise<Ratio> => {
    const contenders = [await contender(kind, base), await contender(kind, measured)];
    const [baseCosts = [], costs = []] = await alternate(contenders, windows);
    for (const { destroy } of contenders) destroy();
    return compare(costs, baseCosts);
  };
  return { polling: await compareKind('polling'), webSocket: await compareKind('webSocket') };
}

/** @param build main file of another build of the package, by default that of this project */
function startAlone(pinned: boolean, build?: string): Promise<ServerProcess> {
  return ServerProcess.start({
    file: 'sockjs-server.ts',
    heartbeat: HEARTBEAT_MS,
    pinned,
    flags: [],
    args: [String(DISCONNECT_DELAY_MS)],
    env: build === undefined ? {} : { SOCKJS_SERVER_BUILD: build },
  });
}

/** Compares a node that owns all its sessions with a server without a cluster. */
export async function measureMembership(
  { start, pinned }: ClusterConditions,
  windows: Windows,
): Promise<CostsByKind> {
  const nodes = await start({ count: 1 });
  const alone = await startAlone(pinned);
  const costs = await compareServers(nodes, alone, windows);
  await Promise.all([nodes.end(), alone.end()]);
  return costs;
}

/** Compares this build, without a cluster, with an older one. */
export async function measureOlderBuild(
  { pinned }: ClusterConditions,
  build: string,
  windows: Windows,
): Promise<CostsByKind> {
  const older = await startAlone(pinned, build);
  const current = await startAlone(pinned);
  const costs = await compareServers(current, older, windows);
  await Promise.all([older.end(), current.end()]);
  return costs;
}
