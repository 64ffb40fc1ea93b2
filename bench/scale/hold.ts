/** Many sessions at once, of which a part is replaced all the time. None may be lost. */
import { setTimeout } from 'node:timers/promises';
import type { Conditions } from '../load/measure.ts';
import { openMany } from '../load/measure.ts';
import { PollingClient } from './polling-client.ts';
import { SocketClient } from './socket-client.ts';

const STEP_MS = 100;
/** Share of all sessions that is replaced per second. */
const CHURN = 0.02;
/** Share of the sessions that open before the memory is measured, while the heap grows. */
const WARM_UP_SHARE = 0.1;

interface Session {
  destroy(): void;
}

export interface Held {
  readonly sockets: number;
  readonly polls: number;
  readonly replaced: number;
  /** Share of the server's core during the churn without messages: 0 to 1. */
  readonly load: number;
  /** KiB of resident memory, and of heap with external memory, per session. */
  readonly resident: number;
  readonly heap: number;
  /** Seconds until all sessions were open. */
  readonly opening: number;
}

/** Replaces sessions by new ones for a time. @returns their number */
export async function churn<S extends Session>(
  sessions: S[],
  open: () => Promise<S>,
  milliseconds: number,
): Promise<number> {
  const end = performance.now() + milliseconds;
  let replaced = 0;
  for (let step = 0; performance.now() < end; step += 1) {
    const pause = setTimeout(STEP_MS);
    const count = Math.ceil((sessions.length * CHURN * STEP_MS) / 1000);
    const first = (step * count) % sessions.length;
    const leaving = sessions.slice(first, first + count);
    for (const session of leaving) session.destroy();
    const added = await openMany(leaving.length, open);
    sessions.splice(first, leaving.length, ...added);
    replaced += added.length;
    await pause;
  }
  return replaced;
}

/** Holds sessions open. A connection that the server ends fails the benchmark. At the end each session has to echo. */
export async function hold(
  { server }: Conditions,
  counts: { readonly sockets: number; readonly polls: number },
  milliseconds: number,
): Promise<Held> {
  const { port } = server;
  const openSocket = (): Promise<SocketClient> => SocketClient.open(port);
  const openPoll = (): Promise<PollingClient> => PollingClient.open(port);

  const begin = performance.now();
  const sockets = await openMany(counts.sockets * WARM_UP_SHARE, openSocket);
  const polls = await openMany(counts.polls * WARM_UP_SHARE, openPoll);
  const before = await server.query('memory');
  sockets.push(...(await openMany(counts.sockets - sockets.length, openSocket)));
  polls.push(...(await openMany(counts.polls - polls.length, openPoll)));
  const opening = (performance.now() - begin) / 1000;
  const after = await server.query('memory');
  const all = (counts.sockets + counts.polls) * (1 - WARM_UP_SHARE);

  const usage = await server.query('usage');
  const churning = performance.now();
  const replaced = await Promise.all([
    churn(sockets, openSocket, milliseconds),
    churn(polls, openPoll, milliseconds),
  ]);
  const spent = await server.query('usage');
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
