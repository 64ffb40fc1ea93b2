/** Many sessions at once, of which some leave and others come all the time. None may be lost. */
import { setTimeout } from 'node:timers/promises';
import type { Conditions } from '../load/measure.ts';
import { openMany } from '../load/measure.ts';
import { PollingClient } from './polling-client.ts';
import { SocketClient } from './socket-client.ts';

const STEP = 100;
/** Of all sessions, in each second. */
const CHURN = 0.02;
const FIRST = 0.1;

interface Session {
  destroy(): void;
}

export interface Held {
  readonly sockets: number;
  readonly polls: number;
  readonly replaced: number;
  /** Of the server's core while sessions leave and come, and nobody says anything: 0 to 1. */
  readonly load: number;
  /** KiB of resident memory, and of heap with external memory, for each session. */
  readonly resident: number;
  readonly heap: number;
  /** Seconds until all were open. */
  readonly opening: number;
}

/** Some sessions after each other are replaced by new ones, for so long. */
async function churn<S extends Session>(
  sessions: S[],
  open: () => Promise<S>,
  milliseconds: number,
): Promise<number> {
  const end = performance.now() + milliseconds;
  let replaced = 0;
  for (let step = 0; performance.now() < end; step += 1) {
    const pause = setTimeout(STEP);
    const count = Math.ceil((sessions.length * CHURN * STEP) / 1000);
    const first = (step * count) % sessions.length;
    const leaving = sessions.slice(first, first + count);
    for (const session of leaving) session.destroy();
    const coming = await openMany(leaving.length, open);
    sessions.splice(first, leaving.length, ...coming);
    replaced += coming.length;
    await pause;
  }
  return replaced;
}

/** A server that ends any connection by itself ends the benchmark; and in the end each session must answer. */
export async function hold(
  { server }: Conditions,
  counts: { readonly sockets: number; readonly polls: number },
  milliseconds: number,
): Promise<Held> {
  const { port } = server;
  const openSocket = (): Promise<SocketClient> => SocketClient.open(port);
  const openPoll = (): Promise<PollingClient> => PollingClient.open(port);

  // The first ones, for which the heap grows, do not count as memory.
  const begin = performance.now();
  const sockets = await openMany(counts.sockets * FIRST, openSocket);
  const polls = await openMany(counts.polls * FIRST, openPoll);
  const before = await server.ask('memory');
  sockets.push(...(await openMany(counts.sockets - sockets.length, openSocket)));
  polls.push(...(await openMany(counts.polls - polls.length, openPoll)));
  const opening = (performance.now() - begin) / 1000;
  const after = await server.ask('memory');
  const all = (counts.sockets + counts.polls) * (1 - FIRST);

  const usage = await server.ask('usage');
  const churning = performance.now();
  const replaced = await Promise.all([
    churn(sockets, openSocket, milliseconds),
    churn(polls, openPoll, milliseconds),
  ]);
  const spent = await server.ask('usage');
  const elapsed = performance.now() - churning;

  for (const session of sockets) await session.echo();
  const sender = PollingClient.sender(port);
  for (const session of polls) await session.echo(sender);
  for (const session of [...sockets, ...polls]) session.destroy();
  sender.destroy();
  return {
    ...counts,
    replaced: replaced[0] + replaced[1],
    load: (spent.user + spent.system - usage.user - usage.system) / 1000 / elapsed,
    resident: (after.resident - before.resident) / all / 1024,
    heap: (after.heap - before.heap) / all / 1024,
    opening,
  };
}
