/** Commands that sessions cause in the engine. */
import { setTimeout } from 'node:timers/promises';
import type { SessionCommands } from '../../testkit/redis-commands.ts';
import { end, openPolling } from '../load/http-loads.ts';
import { openMany } from '../load/measure.ts';
import { SocketClient } from '../scale/socket-client.ts';
import type { ClusterConditions } from './conditions.ts';

const NODES = 3;
const SESSIONS = 300;
const ROUND_TRIPS = 10;
const DISCONNECT_DELAY_MS = 3000;
/** A session ends after one delay, and its close frame is kept for another one. Deadlines are checked four times in each. */
const RELEASED_AFTER_MS = 3 * DISCONNECT_DELAY_MS;

/** Commands per session. */
export interface CommandCounts {
  readonly webSocket: number;
  /** Until each node has handled a request of the session. */
  readonly opening: number;
  readonly using: number;
  readonly ending: number;
}

function perSession({ claims, lookups, releases }: SessionCommands): number {
  return (claims + lookups + releases) / SESSIONS;
}

export async function countCommands({ start, redis }: ClusterConditions): Promise<CommandCounts> {
  const nodes = await start({ count: NODES, disconnectDelay: DISCONNECT_DELAY_MS });
  await redis.heartbeats(NODES);
  const during = async (run: () => Promise<unknown>): Promise<number> =>
    perSession(await redis.during(NODES, run));
  const webSocket = await during(async () => {
    const clients = await openMany(SESSIONS, (index) =>
      SocketClient.open(nodes.ports[index % NODES] ?? 0),
    );
    for (const client of clients) await client.echo();
    end(clients);
  });
  let sessions: Awaited<ReturnType<typeof openPolling>> = [];
  const roundTrips = async (count: number): Promise<void> => {
    for (let lap = 0; lap < count; lap += 1)
      await Promise.all(sessions.map((session) => session.roundTrip()));
  };
  const opening = await during(async () => {
    sessions = await openPolling('', SESSIONS, (index) => ({
      opening: nodes.ports[index % NODES] ?? 0,
      others: nodes.ports,
    }));
    await roundTrips(NODES);
  });
  const using = await during(() => roundTrips(ROUND_TRIPS));
  const ending = await during(async () => {
    end(sessions);
    await setTimeout(RELEASED_AFTER_MS);
  });
  await nodes.end();
  return { webSocket, opening, using, ending };
}
