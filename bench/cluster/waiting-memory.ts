/** Memory of a poll that waits for a message, on the owner of its session and on another node. */
import { setTimeout } from 'node:timers/promises';
import { end, openPolling } from '../load/http-loads.ts';
import type { Memory } from '../servers/measured.ts';
import type { ClusterConditions } from './conditions.ts';
import type { Nodes } from './nodes.ts';

const WARM_UP_POLLS = 1000;
const KIB = 1024;
/** As in `cases.ts`: a young generation that grows would make up half of the measured memory. */
const FLAGS = ['--min-semi-space-size=16', '--max-semi-space-size=16'];
/** More than the nodes take to handle all polls. */
const SETTLE_MS = 3000;

/** KiB per waiting poll, without its session and without the connection of its client. */
export interface WaitingMemory {
  readonly local: number;
  /** On the owner and on the other node. */
  readonly owner: number;
  readonly edge: number;
}

/** Opens sessions, and then lets all of them poll. @returns the growth of each node per poll, in KiB */
async function growth(nodes: Nodes, polls: number, port: number): Promise<number[]> {
  const read = (): Promise<Memory[]> => Promise.all(nodes.all.map((node) => node.query('memory')));
  const arrival = { opening: nodes.port, others: [port] };
  const sessions = await openPolling('', WARM_UP_POLLS + polls, () => arrival);
  const wait = async (first: number, last: number): Promise<void> => {
    for (const session of sessions.slice(first, last)) void session.poll(0);
    await setTimeout(SETTLE_MS);
  };
  await wait(0, WARM_UP_POLLS);
  const before = await read();
  await wait(WARM_UP_POLLS, WARM_UP_POLLS + polls);
  const after = await read();
  end(sessions);
  return before.map(
    ({ resident }, node) => ((after[node]?.resident ?? 0) - resident) / polls / KIB,
  );
}

export async function measureWaiting(
  { start }: ClusterConditions,
  polls: number,
): Promise<WaitingMemory> {
  const options = { count: 2, flags: FLAGS };
  const one = await start(options);
  const [local = 0] = await growth(one, polls, one.ports[0] ?? 0);
  await one.end();
  const two = await start(options);
  const [owner = 0, edge = 0] = await growth(two, polls, two.ports[1] ?? 0);
  await two.end();
  return { local, owner, edge };
}
